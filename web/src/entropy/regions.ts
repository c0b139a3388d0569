// Regions of interest: the level of each cell of 64 x 64 pixels, and the box that lists them.

import type { Box } from "../container/tiles.ts";
import { RegionMapError } from "../errors.ts";
import { encodeRans } from "./rans.ts";
import { SymbolReader } from "./symbols.ts";
import { Tables } from "./tables.ts";

const CELL = 64, PLACE = 16;
const LEVELS = 8, NEUTRAL = 4, TRUSTS = 8;
const TOTAL = 1 << 16;

/** The level 0 to 7 of each cell, row by row. 4 is the same as no map. */
export class Regions {
  private readonly levels: Int16Array;
  private readonly rows: number;
  private readonly columns: number;

  constructor(levels: Int16Array, rows: number, columns: number) {
    this.levels = levels;
    this.rows = rows;
    this.columns = columns;
  }

  /** Integers n, the levels minus 4, at the positions of y under a tile, row by row. */
  stepExponent(tile: Box): Float32Array {
    const rows = cells(tile.top, tile.bottom, this.rows), columns = cells(tile.left, tile.right, this.columns);
    return Float32Array.from(
      rows.flatMap((row) => columns.map((column) => this.levels[row * this.columns + column] - NEUTRAL)),
    );
  }
}

/** The map from the content of its box. Only the form that the encoder writes is accepted. */
export function unpackRegions(box: Uint8Array, width: number, height: number): Regions {
  const columns = Math.ceil(width / CELL), rows = Math.ceil(height / CELL), count = rows * columns;
  const trust = box[0];
  if (trust >= TRUSTS) throw new RegionMapError(`the map of regions has an unknown coding: ${trust}`);
  const stream = { payload: box.subarray(1), exceptions: [], symbolCrc32: 0, symbolCount: count };
  const tables = regionTables(), reader = new SymbolReader(tables, stream);
  const levels = new Int16Array(count), used = new Int16Array(count);
  let above: Int16Array = new Int16Array(columns).fill(NEUTRAL);
  for (let start = 0; start < count; start += columns) {
    const line = above.map((level) => trust * LEVELS + level);
    used.set(line, start);
    levels.set((above = reader.read(line)), start);
  }
  if (!equal(written(tables, levels, used), stream.payload)) {
    throw new RegionMapError("the map of regions is not in its shortest encoding");
  }
  return new Regions(levels, rows, columns);
}

/** The payload of the map, which has at least three symbols. */
function written(tables: Tables, levels: Int16Array, rows: Int16Array): Uint8Array {
  const padding = Array<number>(Math.max(0, 3 - levels.length));
  return encodeRans(tables, [...levels, ...padding.fill(0)], [...rows, ...padding.fill(tables.first)]);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** The cell of each position of y, by its centre. Positions beyond the image belong to the last cell. */
function cells(start: number, stop: number, count: number): number[] {
  return Array.from({ length: Math.ceil((stop - start) / PLACE) }, (_, place) =>
    Math.min(Math.floor((start + PLACE * place + PLACE / 2) / CELL), count - 1));
}

/** A row for each trust t and level above, then a row of two equal slots for padding. */
function regionTables(): Tables {
  const widths: number[] = [];
  for (let trust = 0; trust < TRUSTS; trust++) {
    const other = TOTAL >> (trust + 3);
    for (let above = 0; above < LEVELS; above++) {
      for (let level = 0; level < LEVELS; level++) widths.push(level === above ? TOTAL - 7 * other : other);
    }
  }
  const rows = TRUSTS * LEVELS;
  const slots = [...Array<number>(rows).fill(LEVELS), 2];
  return new Tables([...widths, TOTAL / 2, TOTAL / 2], slots, Array<number>(rows + 1).fill(0), rows);
}
