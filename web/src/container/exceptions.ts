// The exceptions of a coded stream: the symbols that lie beyond their rows.

import { ExceptionListError, OverrunError } from "../errors.ts";
import { readVarint } from "./varint.ts";

/** A symbol that its row does not hold: how many symbols precede it in coding order, and its value. */
export interface CodingException {
  position: number;
  value: number;
}

const VALUE_MAX = 0xffff;

/** The exceptions in the content of their box, by position, of a file of `symbolCount` symbols. */
export function unpackExceptions(data: Uint8Array, symbolCount: number): CodingException[] {
  if (!data.length) return [];
  let [count, start] = readCount(data, symbolCount);
  const entries: CodingException[] = [];
  let position = -1;
  while (entries.length < count) {
    const [gap, middle] = readVarint(data, start, data.length);
    const [number, stop] = readVarint(data, middle, data.length);
    position += gap + 1;
    start = stop;
    if (position >= symbolCount || number > VALUE_MAX) {
      throw new ExceptionListError("an exception lies beyond the last symbol or 16 bits");
    }
    entries.push({ position, value: (number >> 1) ^ -(number & 1) });
  }
  if (start !== data.length) throw new ExceptionListError(`${data.length - start} bytes follow the last exception`);
  return entries;
}

/** How many there are, once that is believable, and where the number ends. */
function readCount(data: Uint8Array, symbolCount: number): [number, number] {
  const [count, start] = readVarint(data, 0, data.length);
  if (count < 1 || count > symbolCount) {
    throw new ExceptionListError(`${count} exceptions do not fit ${symbolCount} symbols`);
  }
  if (2 * count > data.length - start) throw new OverrunError("the list of exceptions is cut off");
  return [count, start];
}
