// Symbols pass by pass from a payload and its exceptions, safe on any payload, and checked against their checksum.

import type { CodingException } from "../container/exceptions.ts";
import { crc32 } from "../container/crc32.ts";
import { PayloadSizeError, SymbolChecksumError, TruncatedError } from "../errors.ts";
import { RansDecoder } from "./rans.ts";
import type { Tables } from "./tables.ts";

/** One coded stream. Positions of exceptions count from its first symbol. */
export interface Stream {
  payload: Uint8Array;
  exceptions: CodingException[];
  symbolCrc32: number;
  symbolCount: number;
}

const STATE_BYTES = 8, SYMBOLS_MIN = 3;
// The coder's integer divisions lose or gain some 1e-4 of a symbol's bits, far less than this.
const CAPACITY_SLACK = 1.01;

export class SymbolReader {
  private readonly decoder: RansDecoder;
  private readonly tables: Tables;
  private readonly stream: Stream;
  private position = 0;
  private exception = 0;
  private crc = 0;

  constructor(tables: Tables, stream: Stream) {
    checkPayload(stream.payload.length, stream.symbolCount);
    checkCapacity(stream.payload.length, stream.symbolCount * tables.leastBits.reduce((a, b) => Math.min(a, b)));
    this.tables = tables;
    this.stream = stream;
    this.decoder = new RansDecoder(stream.payload);
  }

  /** The next symbols, one for each row; `first` is added to the rows' numbers. */
  read(rows: ArrayLike<number>, first = 0): Int16Array {
    const symbols = this.decoder.read(this.tables, rows, first);
    this.putExceptions(symbols);
    this.crc = crc32(littleEndian(symbols), this.crc);
    this.position += symbols.length;
    return symbols;
  }

  /** The next symbols of y. */
  readGaussian(rows: ArrayLike<number>): Int16Array {
    return this.read(rows, this.tables.first);
  }

  /** Compares the checksum; call it once all symbols have been read. */
  finish(): void {
    if (this.crc !== this.stream.symbolCrc32) {
      throw new SymbolChecksumError(
        "the decoded symbols are not those that were encoded: one of the two machines does not compute exactly, or " +
          "the file was made to fail",
      );
    }
  }

  private putExceptions(symbols: Int16Array): void {
    const { exceptions } = this.stream, end = this.position + symbols.length;
    for (; this.exception < exceptions.length && exceptions[this.exception].position < end; this.exception++) {
      const { position, value } = exceptions[this.exception];
      symbols[position - this.position] = value;
    }
  }
}

/** Refuses symbols that take `leastBits` or more if they cannot stand in `size` bytes. */
export function checkCapacity(size: number, leastBits: number): void {
  if (leastBits > 8 * size * CAPACITY_SLACK) {
    const least = Math.round(leastBits / 8);
    throw new PayloadSizeError(`${size} bytes cannot hold a picture that takes ${least} bytes or more`);
  }
}

function checkPayload(size: number, symbolCount: number): void {
  if (size < STATE_BYTES) throw new TruncatedError(`a payload has at least ${STATE_BYTES} bytes, not ${size}`);
  const words = Math.floor(Math.max(symbolCount, SYMBOLS_MIN) / 2);
  if (size % 4 || size > STATE_BYTES + 4 * words) {
    throw new PayloadSizeError(`${symbolCount} symbols cannot take ${size} bytes`);
  }
}

function littleEndian(symbols: Int16Array): Uint8Array {
  return new Uint8Array(symbols.buffer); // as all machines are on which browsers run
}
