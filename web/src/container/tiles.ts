// The tiles of a large picture, and the box that lists them.

import { OverrunError, TileListError } from "../errors.ts";
import { readVarint } from "./varint.ts";

/** A rectangle of pixels; right and bottom are exclusive. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** A picture in tiles of equal size, smaller ones in the last column and row. */
export class Layout {
  readonly width: number;
  readonly height: number;
  readonly tileWidth: number;
  readonly tileHeight: number;

  constructor(width: number, height: number, tileWidth = width, tileHeight = height) {
    this.width = width;
    this.height = height;
    this.tileWidth = tileWidth;
    this.tileHeight = tileHeight;
  }

  get columns(): number {
    return Math.ceil(this.width / this.tileWidth);
  }

  get rows(): number {
    return Math.ceil(this.height / this.tileHeight);
  }

  /** The pixels of one tile, which ends where the picture does. */
  tile(row: number, column: number): Box {
    const left = column * this.tileWidth, top = row * this.tileHeight;
    const right = Math.min(left + this.tileWidth, this.width);
    return { left, top, right, bottom: Math.min(top + this.tileHeight, this.height) };
  }

  /** All tiles, in the order of the file. */
  tiles(): Box[] {
    const count = this.rows * this.columns;
    return Array.from({ length: count }, (_, at) => this.tile(Math.floor(at / this.columns), at % this.columns));
  }
}

/** One tile in the list: the number of bytes of its payload, and the CRC-32 of its symbols. */
export interface Entry {
  length: number;
  symbolCrc32: number;
}

const GRID = 64, SIDE_MIN = 256, SIDE_MAX = 2048;
const CRC_BYTES = 4, STATE_BYTES = 8;

/** The layout of a picture and its tiles, whose lengths add up to `payload` bytes. */
export function unpackTiles(box: Uint8Array, width: number, height: number, payload: number): [Layout, Entry[]] {
  const [tileWidth, second] = readSide(box, 0);
  const [tileHeight, first] = readSide(box, second);
  const layout = new Layout(width, height, tileWidth, tileHeight);
  const count = layout.rows * layout.columns;
  if (count * (1 + CRC_BYTES) > box.length - first) throw new OverrunError(`the list of ${count} tiles is cut off`);
  const entries: Entry[] = [];
  let start = first;
  while (entries.length < count) {
    const [entry, stop] = readEntry(box, start);
    entries.push(entry);
    start = stop;
  }
  if (start !== box.length) throw new TileListError(`${box.length - start} bytes follow the last tile`);
  if (entries.reduce((sum, entry) => sum + entry.length, 0) !== payload) {
    throw new TileListError(`the tiles do not take the ${payload} bytes of the payload`);
  }
  return [layout, entries];
}

function readSide(box: Uint8Array, start: number): [number, number] {
  const [steps, stop] = readVarint(box, start, box.length);
  const side = steps * GRID;
  if (side < SIDE_MIN || side > SIDE_MAX) throw new TileListError(`a tile cannot be ${side} pixels wide or high`);
  return [side, stop];
}

function readEntry(box: Uint8Array, start: number): [Entry, number] {
  const [length, at] = readVarint(box, start, box.length);
  const stop = at + CRC_BYTES;
  if (stop > box.length) throw new OverrunError("a tile's checksum is cut off");
  if (length < STATE_BYTES) throw new TileListError(`a tile of ${length} bytes has no payload`);
  return [{ length, symbolCrc32: new DataView(box.buffer, box.byteOffset + at).getUint32(0, true) }, stop];
}
