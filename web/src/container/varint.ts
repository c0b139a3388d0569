// Whole numbers in as few bytes as they need (LEB128), one spelling each.

import { NumberSpellingError, OverrunError } from "../errors.ts";

const MAX_BYTES = 9;

/**
 * The number at `position`, and the position behind it. Numbers from 2^53 on are rounded: no field holds one, and they
 * fail the same comparisons.
 */
export function readVarint(data: Uint8Array, position: number, end: number): [number, number] {
  let value = 0;
  for (let index = 0; index < MAX_BYTES; index++) {
    if (position + index >= end) throw new OverrunError("a number is cut off");
    const byte = data[position + index];
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) {
      if (byte === 0 && index > 0) throw new NumberSpellingError("a number is written longer than it needs to be");
      return [value, position + index + 1];
    }
  }
  throw new NumberSpellingError(`a number is longer than ${MAX_BYTES} bytes`);
}
