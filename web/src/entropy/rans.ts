// The range coder: rANS with a state of 64 bits and words of 32, the decoder as s2lic/entropy/rans.py has it.

import type { Tables } from "./tables.ts";

const WORD = 2 ** 32, HALF_WORD = 2 ** 16, LOWEST = 2 ** 31;

/**
 * Reads symbols in the order in which they were coded. Behind the last word it supplies zeros.
 *
 * The state is held in two halves of 32 bits. Their products with frequencies stay below 2^53, so that numbers hold
 * them exactly.
 */
export class RansDecoder {
  private readonly words: DataView;
  private high: number;
  private low: number;
  private next = 8;

  constructor(payload: Uint8Array) {
    this.words = new DataView(payload.buffer, payload.byteOffset, payload.length);
    this.low = this.words.getUint32(0, true);
    this.high = this.words.getUint32(4, true);
  }

  /** The next symbols, one for each row; `first` is added to the rows' numbers. */
  read(tables: Tables, rows: ArrayLike<number>, first: number): Int16Array {
    const { bounds, starts, offsets } = tables, symbols = new Int16Array(rows.length);
    let { high, low } = this;
    for (let index = 0; index < symbols.length; index++) {
      const row = first + rows[index], part = low & 0xffff;
      const slot = slotOf(bounds, starts[row], starts[row + 1] - 1, part), start = bounds[slot];
      symbols[index] = slot - starts[row] + offsets[row];

      // state = frequency * (state div 2^16) + part - start, and a word more where it falls below 2^31
      const frequency = bounds[slot + 1] - start;
      const upper = frequency * high; // in units of 2^16
      high = Math.floor(upper / HALF_WORD);
      low = (upper - high * HALF_WORD) * HALF_WORD + frequency * (low >>> 16) + part - start;
      if (low >= WORD) {
        low -= WORD;
        high++;
      } else if (high === 0 && low < LOWEST) {
        high = low;
        low = this.word();
      }
    }
    this.high = high;
    this.low = low;
    return symbols;
  }

  private word(): number {
    const at = this.next;
    this.next += 4;
    return this.next <= this.words.byteLength ? this.words.getUint32(at, true) : 0;
  }
}

/** The last slot that begins at or before `part`, among those from `slot` to `end`. */
function slotOf(bounds: Int32Array, slot: number, end: number, part: number): number {
  while (end - slot > 1) {
    const middle = (slot + end) >> 1;
    if (bounds[middle] <= part) slot = middle;
    else end = middle;
  }
  return slot;
}

/** The payload of symbols with one row each: a word for a slot of `tables` is pushed, the last symbol first. */
export function encodeRans(tables: Tables, symbols: ArrayLike<number>, rows: ArrayLike<number>): Uint8Array {
  const words: number[] = [];
  let state = 1n << 31n;
  for (let index = symbols.length - 1; index >= 0; index--) {
    const at = tables.starts[rows[index]] + symbols[index] - tables.offsets[rows[index]];
    const start = BigInt(tables.bounds[at]), frequency = BigInt(tables.bounds[at + 1]) - start;
    if (state >= frequency << 47n) {
      words.push(Number(state & 0xffffffffn));
      state >>= 32n;
    }
    state = ((state / frequency) << 16n) + (state % frequency) + start;
  }
  const out = new DataView(new ArrayBuffer(8 + 4 * words.length));
  out.setBigUint64(0, state, true);
  words.reverse().forEach((word, index) => out.setUint32(8 + 4 * index, word, true));
  return new Uint8Array(out.buffer);
}
