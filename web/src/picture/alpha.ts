// The alpha channel, which is coded without loss in a box of its own.

import { AlphaError } from "../errors.ts";
import { unpackLzma2 } from "./xz.ts";

const CONSTANT = 0, LZMA2 = 1;

/** The `count` samples in the content of the box. */
export async function unpackAlpha(box: Uint8Array, count: number): Promise<Uint8Array> {
  if (box[0] === CONSTANT && box.length === 2) return new Uint8Array(count).fill(box[1]);
  if (box[0] !== LZMA2) {
    throw new AlphaError(`the alpha channel has an unknown coding: ${Array.from(box.subarray(0, 2)).join(" ")}`);
  }
  try {
    return await unpackLzma2(box.subarray(1), count);
  } catch (error) {
    throw new AlphaError(`the alpha channel does not hold the ${count} samples of the picture: ${String(error)}`);
  }
}
