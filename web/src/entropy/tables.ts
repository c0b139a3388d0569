// The probabilities of all symbols: rows of cumulative frequencies out of 2^16, first those of z, then those of y.

import { WeightsError } from "../errors.ts";

const TOTAL = 1 << 16;

/** All rows, laid end to end. */
export class Tables {
  /** The bounds of each row's slots: one more than it has slots, from 0 to 2^16. */
  readonly bounds: Int32Array;
  /** Where each row begins in `bounds`, and behind the last one where they end. */
  readonly starts: Int32Array;
  /** The symbol of each row's first slot. */
  readonly offsets: Int32Array;
  /** How many rows z has; those of y follow. */
  readonly first: number;
  /** What a symbol costs at least on each row. */
  readonly leastBits: Float64Array;

  /**
   * widths: the frequencies of all rows end to end; slots: how many each row has; offsets: the first symbol of each;
   * first: the number of rows for z.
   */
  constructor(widths: ArrayLike<number>, slots: ArrayLike<number>, offsets: ArrayLike<number>, first: number) {
    const rows = slots.length;
    this.bounds = new Int32Array(widths.length + rows);
    this.starts = new Int32Array(rows + 1);
    this.offsets = Int32Array.from(offsets);
    this.first = first;
    this.leastBits = new Float64Array(rows);
    let at = 0, slot = 0;
    for (let row = 0; row < rows; row++) {
      let sum = 0, widest = 0;
      for (const end = slot + slots[row]; slot < end; slot++) {
        widest = Math.max(widest, widths[slot]);
        this.bounds[++at] = sum += widths[slot];
      }
      if (sum !== TOTAL) throw new WeightsError(`the frequencies of row ${row} do not add up to ${TOTAL}`);
      this.leastBits[row] = 16 - Math.log2(widest);
      this.starts[row + 1] = ++at;
    }
    if (slot !== widths.length || this.offsets.length !== rows || first >= rows) {
      throw new WeightsError("the tables of frequencies do not fit one another");
    }
  }
}
