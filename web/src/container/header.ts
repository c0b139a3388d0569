// The header: the fields of its box, in order.

import { HeaderError, OverrunError, RetiredArithmeticError, UnsupportedFeatureError } from "../errors.ts";
import { readVarint } from "./varint.ts";

export interface Header {
  width: number;
  height: number;
  /** 16 hexadecimal digits. */
  modelId: string;
  /** 100 times the quality, 0 to 10000. */
  level: number;
  tiled: boolean;
  grey: boolean;
  symbolCrc32: number;
}

const SIDE_MAX = 2 ** 31 - 1;
const RETIRED_ARITHMETIC = 1, EXACT_ARITHMETIC = 2;

/** The header in the content of its box. */
export function readFields(box: Uint8Array): Header {
  const fields = new Fields(box);
  const width = within("width", fields.varint(), 1, SIDE_MAX);
  const height = within("height", fields.varint(), 1, SIDE_MAX);
  const modelId = Array.from(fields.bytes("model_id", 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const level = within("quality", fields.number("quality", 2), 0, 10_000);
  checkArithmetic(fields.number("arithmetic", 1));
  const tiled = known("tiling", fields.number("tiling", 1)) === 1;
  const grey = known("colour", fields.number("colour", 1)) === 1;
  const symbolCrc32 = fields.number("symbol_crc32", 4);
  fields.finish();
  return { width, height, modelId, level, tiled, grey, symbolCrc32 };
}

class Fields {
  private readonly box: Uint8Array;
  private position = 0;

  constructor(box: Uint8Array) {
    this.box = box;
  }

  varint(): number {
    const [value, next] = readVarint(this.box, this.position, this.box.length);
    this.position = next;
    return value;
  }

  bytes(name: string, size: number): Uint8Array {
    const stop = this.position + size;
    if (stop > this.box.length) throw new OverrunError(`the header ends within ${name}`);
    const found = this.box.subarray(this.position, stop);
    this.position = stop;
    return found;
  }

  number(name: string, size: number): number {
    return this.bytes(name, size).reduceRight((value, byte) => value * 256 + byte, 0);
  }

  finish(): void {
    const behind = this.box.length - this.position;
    if (behind) throw new HeaderError(`the header is ${behind} bytes too long`);
  }
}

function within(name: string, value: number, low: number, high: number): number {
  if (value < low || value > high) throw new HeaderError(`header field ${name} cannot be ${value}`);
  return value;
}

function known(name: string, value: number): number {
  if (value > 1) throw unknown(name, value);
  return value;
}

function checkArithmetic(value: number): void {
  if (value === EXACT_ARITHMETIC) return;
  if (value !== RETIRED_ARITHMETIC) throw unknown("arithmetic", value);
  throw new RetiredArithmeticError(
    "the file was coded in arithmetic profile 1 (float64), which this release no longer reads: decode it with " +
      "s2lic 0.1 and encode the picture again",
  );
}

function unknown(name: string, value: number): UnsupportedFeatureError {
  return new UnsupportedFeatureError(`this release does not know ${name} ${value}: a newer s2lic is needed`);
}
