// Raw LZMA2 with a dictionary of 2^22 bytes, through a decoder of .xz files: the frame of one is put around it.

import { XzReadableStream } from "xz-decompress";
import { crc32 } from "../container/crc32.ts";

const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], NO_CHECK = [0, 0], FOOTER_MAGIC = [0x59, 0x5a];
// A block of one filter, LZMA2 (0x21), with one byte of properties: 20 stands for 2^22 bytes.
const BLOCK = [2, 0, 0x21, 1, 20, 0, 0, 0];
const BLOCK_BYTES = BLOCK.length + 4;

/**
 * The `count` bytes in a raw LZMA2 stream. Rejects unless it is sound, holds just so many and ends with its end marker
 * at its last byte: the frame's index claims both lengths, and the decoder compares them.
 */
export async function unpackLzma2(data: Uint8Array, count: number): Promise<Uint8Array> {
  const out = new Uint8Array(count);
  let filled = 0;
  const reader = new XzReadableStream(new Blob([framed(data, count)]).stream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (part.value.length > count - filled) {
      await reader.cancel();
      throw new Error("more bytes than were promised");
    }
    out.set(part.value, filled);
    filled += part.value.length;
  }
  return out;
}

function framed(data: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  const index = padded([0, 1, ...varint(BLOCK_BYTES + data.length), ...varint(count)]);
  const footer = [...word((index.length + 4) / 4 - 1), ...NO_CHECK];
  return joined(
    MAGIC, withSum(NO_CHECK), withSum(BLOCK), data, Array<number>(-data.length & 3).fill(0),
    withSum(index), word(crc32(Uint8Array.from(footer))), footer, FOOTER_MAGIC,
  );
}

function joined(...parts: ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (out.set(part, at), at + part.length), 0);
  return out;
}

function withSum(bytes: number[]): number[] {
  return [...bytes, ...word(crc32(Uint8Array.from(bytes)))];
}

function padded(bytes: number[]): number[] {
  return [...bytes, ...Array<number>(-bytes.length & 3).fill(0)];
}

function word(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 0x80))];
}
