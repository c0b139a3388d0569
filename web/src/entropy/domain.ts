// What a quality makes of the integers of a set: gains, means, rows and contexts; docs/onnx.md has the formulas.

import type { Manifest } from "../model.ts";

const LEVELS = 10_000, OCTAVE = 1024, MANTISSA_BITS = 15;
const MU_LIMIT = 2 ** 21, ROW_UNIT = 64, LEVEL_UNIT = 256;
// Adding this to a number of less than 51 bits rounds it to the nearest integer, ties to even.
const SNAP = 1.5 * 2 ** 52;

/** The nearest integer, ties to even. */
export function round(x: number): number {
  return x + SNAP - SNAP;
}

export function clamp(x: number, low: number, high: number): number {
  return x < low ? low : x > high ? high : x;
}

/** 2^(n / 1024) of an integer n, as a 16-bit integer times a power of two. */
export function power(n: number): number {
  const whole = Math.floor(n / OCTAVE);
  return round(2 ** MANTISSA_BITS * 2 ** ((n - whole * OCTAVE) / OCTAVE)) * 2 ** (whole - MANTISSA_BITS);
}

/** The integers of a set at one quality. */
export class Domain {
  /** The centre of each channel of z, and the table row of its symbols. */
  readonly zCentre: number[];
  readonly zRows: number[];
  private readonly manifest: Manifest;
  private readonly level: number;
  private readonly octaves: number[];
  private readonly meanScale: number[];
  private readonly contextScale: number[];
  private readonly inverse: number[];

  constructor(manifest: Manifest, level: number) {
    const { anchors, side } = manifest;
    const nearest = Math.floor((2 * level * (anchors - 1) + LEVELS) / (2 * LEVELS));
    this.manifest = manifest;
    this.level = level;
    this.zCentre = manifest.z_centre[nearest];
    this.zRows = this.zCentre.map((_, channel) => nearest * side + channel);
    this.octaves = this.between(manifest.log_gain).map((sum) => round(sum / LEVELS));
    this.meanScale = this.octaves.map((n, j) => power(n) * 2 ** (6 - manifest.mean_exponent[j]));
    this.contextScale = this.octaves.map((n, j) => power(-n) * 2 ** (manifest.context_exponent[j] - 6));
    this.inverse = this.between(manifest.log_inverse).map((sum) => Math.exp(sum / LEVELS));
  }

  /** The slope and the offset that a graph is modulated with. */
  modulation(graph: string): { slope: Float32Array; offset: Float32Array } {
    const { slope, offset } = this.manifest.modulations[graph];
    const at = (table: number[][]) => Float32Array.from(this.between(table), (sum) => round(sum / LEVELS) / 1024);
    return { slope: at(slope), offset: at(offset) };
  }

  /** The means mu of channels from `first` on, each with `places` values in a row. */
  mu(mean: Float32Array, first: number, places: number): Float64Array {
    const out = new Float64Array(mean.length);
    for (let at = 0, channel = first; at < out.length; channel++) {
      const scale = this.meanScale[channel];
      for (const end = at + places; at < end; at++) out[at] = clamp(round(mean[at] * scale), -MU_LIMIT, MU_LIMIT);
    }
    return out;
  }

  /** The table row of each symbol. `stepExponent` has a value for each position, or is null. */
  rows(scale: Float32Array, first: number, places: number, stepExponent: Float32Array | null): Int32Array {
    const out = new Int32Array(scale.length), last = this.manifest.rows - 1;
    for (let at = 0, channel = first; at < out.length; channel++) {
      for (let place = 0; place < places; place++, at++) {
        const sum = scale[at] + this.octaves[channel] + (stepExponent ? LEVEL_UNIT * stepExponent[place] : 0);
        out[at] = clamp(round(sum / ROW_UNIT), 0, last);
      }
    }
    return out;
  }

  /** A value of y_hat as the networks see it. */
  context(value: number, channel: number): number {
    return clamp(round(value * this.contextScale[channel]), -512, 511);
  }

  /** y_hat as g_s takes it, from 64ths of a step; each channel has `places` values in a row. */
  latent(y: Float64Array, places: number): Float32Array {
    const out = new Float32Array(y.length);
    for (let at = 0, channel = 0; at < out.length; channel++) {
      const inverse = Math.fround(this.inverse[channel]);
      for (const end = at + places; at < end; at++) out[at] = Math.fround(y[at] / 64) * inverse;
    }
    return out;
  }

  /** 10000 times a table between the two anchors of the level. */
  private between(table: number[][]): number[] {
    const position = this.level * (table.length - 1);
    const low = Math.min(Math.floor(position / LEVELS), table.length - 2), part = position - LEVELS * low;
    return table[low].map((value, at) => value * (LEVELS - part) + table[low + 1][at] * part);
  }
}

/** A symbol, whose step is divided by 2^(stepExponent / 4), in 64ths of a full step. */
export function restored(symbol: number, stepExponent: number): number {
  return stepExponent ? round(64 * symbol * power(-LEVEL_UNIT * stepExponent)) : 64 * symbol;
}
