// From the symbols of z to y_hat, slice by slice and half by half; docs/onnx.md, "Decoding one stream".

import type { Feed, Model } from "../model.ts";
import { clamp, type Domain, restored } from "./domain.ts";

/** Height and width of y. */
export interface Size {
  height: number;
  width: number;
}

/** Gives the symbols of a half for its rows, from channel `first` on, and hears its means. */
export type Symbols = (rows: Int32Array, first: number, mu: Float64Array) => Int16Array;

/** y_hat (M, height, width) in 64ths of a step. `stepExponent` is the level minus 4 at each position, or null. */
export async function reconstruct(
  model: Model, domain: Domain, size: Size, z: Int16Array, stepExponent: Float32Array | null, symbols: Symbols,
): Promise<Float64Array> {
  const walk = new Walk(model, domain, size, stepExponent, symbols, await hyperFeatures(model, domain, size, z));
  let first = 0;
  for (const [index, channels] of model.manifest.slices.entries()) {
    await walk.slice(index, first, channels);
    first += channels;
  }
  return walk.y;
}

/** The hyper features (2M, height, width). */
async function hyperFeatures(model: Model, domain: Domain, size: Size, z: Int16Array): Promise<Float32Array> {
  const { side, latent } = model.manifest;
  const zh = Math.ceil(size.height / 4), zw = Math.ceil(size.width / 4);
  const zHat = Float32Array.from(z, (k, at) =>
    clamp(16 * k + domain.zCentre[Math.floor(at / (zh * zw))], -2048, 2047));
  const { slope, offset } = domain.modulation("h_s");
  const shape = [slope.length, 1, 1];
  const { hyper } = await model.run("h_s", {
    z_hat: { data: zHat, shape: [side, zh, zw] }, slope: { data: slope, shape }, offset: { data: offset, shape },
  });
  return cropped(hyper, 2 * latent, 4 * zh, 4 * zw, size);
}

function cropped(map: Float32Array, channels: number, height: number, width: number, size: Size): Float32Array {
  const out = new Float32Array(channels * size.height * size.width);
  for (let line = 0; line < channels * size.height; line++) {
    const channel = Math.floor(line / size.height), start = (channel * height + (line % size.height)) * width;
    out.set(map.subarray(start, start + size.width), line * size.width);
  }
  return out;
}

class Walk {
  readonly y: Float64Array;
  private readonly model: Model;
  private readonly domain: Domain;
  private readonly size: Size;
  private readonly stepExponent: Float32Array | null;
  private readonly symbols: Symbols;
  private readonly hyper: Float32Array;
  private readonly context: Float32Array;
  private readonly places: number;
  private readonly halves: [Int32Array, Int32Array];

  constructor(
    model: Model, domain: Domain, size: Size, stepExponent: Float32Array | null, symbols: Symbols, hyper: Float32Array,
  ) {
    this.model = model;
    this.domain = domain;
    this.size = size;
    this.stepExponent = stepExponent;
    this.symbols = symbols;
    this.hyper = hyper;
    this.places = size.height * size.width;
    this.y = new Float64Array(model.manifest.latent * this.places);
    this.context = new Float32Array(this.y.length);
    const all = Int32Array.from({ length: this.places }, (_, at) => at);
    const parity = (at: number) => (Math.floor(at / size.width) + (at % size.width)) % 2;
    this.halves = [all.filter((at) => parity(at) === 0), all.filter((at) => parity(at) === 1)];
  }

  /** Decodes the channels of one slice into `y`, and their context for later slices. */
  async slice(index: number, first: number, channels: number): Promise<void> {
    const name = `slices.${index}`, [anchors, others] = this.halves;
    const before: Record<string, Feed> = first ? { context: this.map(this.context, 0, first) } : {};
    const { sums } = await this.model.run(`${name}.known`, {
      hyper: this.map(this.hyper, 2 * first, 2 * channels), ...before,
    });
    await this.half(name, first, channels, sums, anchors);
    if (others.length) {
      const local = await this.model.run(`${name}.local`, { anchors: this.map(this.context, first, channels) });
      for (let at = 0; at < sums.length; at++) sums[at] += local.sums[at];
      await this.half(name, first, channels, sums, others);
    }
    const { correction } = await this.model.run(`${name}.lrp`, {
      hyper: this.map(this.hyper, 2 * first, channels), ...before, own: this.map(this.context, first, channels),
    });
    this.correct(correction, first);
  }

  /** Decodes the channels of a slice at the places of one half, before LRP. */
  private async half(
    name: string, first: number, channels: number, sums: Float32Array, at: Int32Array,
  ): Promise<void> {
    const { slope, offset } = this.domain.modulation(`${name}.parameters`), width = slope.length;
    const { mean, scale } = await this.model.run(`${name}.parameters`, {
      sums: { data: this.taken(sums, width, at), shape: [width, at.length] },
      slope: { data: slope, shape: [width, 1] }, offset: { data: offset, shape: [width, 1] },
    });
    const stepExponent = this.stepExponent && this.taken(this.stepExponent, 1, at);
    const mu = this.domain.mu(mean, first, at.length);
    const symbols = this.symbols(this.domain.rows(scale, first, at.length, stepExponent), first, mu);
    for (let channel = 0, from = 0; channel < channels; channel++) {
      const start = (first + channel) * this.places;
      for (let place = 0; place < at.length; place++, from++) {
        const value = restored(symbols[from], stepExponent ? stepExponent[place] : 0) + mu[from];
        this.y[start + at[place]] = value;
        this.context[start + at[place]] = this.domain.context(value, first + channel);
      }
    }
  }

  /** Adds LRP's correction to channels from `first` on, and sees them anew. */
  private correct(correction: Float32Array, first: number): void {
    const start = first * this.places;
    for (let at = 0, channel = first; at < correction.length; channel++) {
      for (const end = at + this.places; at < end; at++) {
        const value = this.y[start + at] += correction[at];
        this.context[start + at] = this.domain.context(value, channel);
      }
    }
  }

  /** The values at some places, (channels, at.length). */
  private taken(values: Float32Array, channels: number, at: Int32Array): Float32Array {
    const out = new Float32Array(channels * at.length);
    for (let channel = 0, to = 0; channel < channels; channel++) {
      for (const place of at) out[to++] = values[channel * this.places + place];
    }
    return out;
  }

  /** Channels of a map, as a graph takes them. */
  private map(values: Float32Array, first: number, channels: number): Feed {
    const data = values.slice(first * this.places, (first + channels) * this.places);
    return { data, shape: [channels, this.size.height, this.size.width] };
  }
}
