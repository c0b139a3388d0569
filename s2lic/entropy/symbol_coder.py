"""The safe coder: symbols and rows in, bytes and a short list of exceptions out, and back.

`ans` checks nothing, so everything it is handed is checked or made here: row indices, clipped
symbols, at least three of them, and enough bytes behind the stream. A symbol beyond its row becomes
an exception, which travels beside the payload.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lic.container.exceptions import CodingException
from s2lic.container.header import STATE_BYTES
from s2lic.entropy.range_coder import RangeCoder, load_coder
from s2lic.entropy.tables import INT16, Tables
from s2lic.errors import (
    ArithmeticFaultError,
    ExceptionListError,
    PayloadSizeError,
    SymbolChecksumError,
    TruncatedError,
    UsageError,
)

# The coder's integer divisions lose or gain some 1e-4 of a symbol's bits, far less than this.
CAPACITY_SLACK = 1.01
# The compiled coder reserves one word a symbol but two rare symbols take three words.
SYMBOLS_MIN = 3

Symbols = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class SymbolStream:
    """What a SymbolWriter leaves: rANS words, exceptions by position, CRC-32, symbols."""

    payload: bytes
    exceptions: tuple[CodingException, ...]
    symbol_crc: int
    count: int


class SymbolWriter:
    """Codes symbols pass by pass, in the order in which a SymbolReader will ask for them."""

    def __init__(self, tables: Tables, coder: RangeCoder | None = None) -> None:
        self._tables, self._coder = tables, coder or load_coder()
        self._passes: list[tuple[Symbols, NDArray[np.int64]]] = []
        self._exceptions: list[CodingException] = []
        self._crc = 0
        self._count = 0
        self._finished = False

    def write_rows(self, symbols: Symbols, rows: Symbols) -> None:
        """Code z: symbols with one factorised row each, same shape.

        Raises UsageError for a row out of range, ArithmeticFaultError for a symbol beyond 16 bits.
        """
        self._write(symbols, _factorised(rows, self._tables))

    def write_gaussian(self, symbols: Symbols, rows: Symbols) -> None:
        """Code y: symbols with one Gaussian row each, same shape.

        Raises UsageError for a row out of range, ArithmeticFaultError for a symbol beyond 16 bits.
        """
        self._write(symbols, _gaussian(rows, self._tables))

    def finish(self) -> SymbolStream:
        """Everything written so far as bytes; the writer is spent.

        Fewer than SYMBOLS_MIN symbols are filled up with zeros on the first Gaussian row, which the
        reader leaves unread. They cost no bytes: no payload is shorter than 8.
        """
        padding = max(0, SYMBOLS_MIN - self._count)
        self._append(np.zeros(padding, np.int16), np.full(padding, self._tables.gaussian_first))
        self._finished = True
        symbols, rows = (np.concatenate(parts) for parts in zip(*self._passes, strict=True))
        payload = self._coder.encode(symbols, rows, self._tables)
        return SymbolStream(payload, tuple(self._exceptions), self._crc, self._count)

    def _write(self, symbols: Symbols, rows: NDArray[np.int64]) -> None:
        true = _int16(symbols.ravel())
        if true.shape != rows.shape:
            raise UsageError(f"{true.size} symbols cannot be coded with {rows.size} rows")
        clipped = np.clip(true, self._tables.offsets[rows], self._tables.last[rows])
        beyond = np.flatnonzero(clipped != true)
        self._exceptions += [CodingException(self._count + int(at), int(true[at])) for at in beyond]
        self._append(clipped, rows)
        self._crc = zlib.crc32(true.astype("<i2").tobytes(), self._crc)
        self._count += true.size

    def _append(self, symbols: Symbols, rows: NDArray[np.int64]) -> None:
        if self._finished:
            raise UsageError("this writer has finished; a new stream needs a new writer")
        self._passes.append((symbols, rows))


class SymbolReader:
    """Reads back, pass by pass, what a SymbolWriter wrote; safe on any payload."""

    def __init__(
        self,
        tables: Tables,
        payload: bytes,
        exceptions: Iterable[CodingException],
        symbol_count: int,
        coder: RangeCoder | None = None,
    ) -> None:
        """`symbol_count` is that of all passes together.

        Raises TruncatedError for a payload below 8 bytes, PayloadSizeError for a length that so many symbols
        cannot take, ExceptionListError for an exception beyond the last symbol.
        """
        _check_payload(len(payload), symbol_count)
        check_capacity(len(payload), symbol_count * float(tables.least_bits.min()))
        self._tables = tables
        self._exceptions = _positions_and_values(exceptions, symbol_count)
        # Each symbol takes at most one word, so these zeros end every stream within memory.
        stream = payload + bytes(STATE_BYTES + 4 * symbol_count)
        self._decode = (coder or load_coder()).decoder(stream, tables)
        self._symbol_count = symbol_count
        self._crc = 0
        self._position = 0

    def read_rows(self, rows: Symbols) -> NDArray[np.int16]:
        """The symbols of z for one factorised row each, in the rows' shape.

        Raises UsageError for a row out of range or beyond the last symbol declared.
        """
        return self._read(_factorised(rows, self._tables)).reshape(rows.shape)

    def read_gaussian(self, rows: Symbols) -> NDArray[np.int16]:
        """The symbols of y for one Gaussian row each, in the rows' shape.

        Raises UsageError for a row out of range or beyond the last symbol declared.
        """
        return self._read(_gaussian(rows, self._tables)).reshape(rows.shape)

    def finish(self, expected_crc: int) -> None:
        """Close the stream; call it once all symbols have been read.

        Raises UsageError if some were not read, SymbolChecksumError unless those read are those that were written.
        """
        if self._position != self._symbol_count:
            raise UsageError(f"{self._position} symbols were read of {self._symbol_count}")
        if self._crc != expected_crc:
            raise SymbolChecksumError(
                "the decoded symbols are not those that were encoded: one of the two machines does not compute "
                "exactly, or the file was made to fail"
            )

    def _read(self, rows: NDArray[np.int64]) -> NDArray[np.int16]:
        if rows.size > self._symbol_count - self._position:
            raise UsageError(f"the picture needs more than {self._symbol_count} symbols")
        symbols = self._decode(rows)
        where, values = self._exceptions_within(rows.size)
        symbols[where] = values
        self._crc = zlib.crc32(symbols.astype("<i2").tobytes(), self._crc)
        self._position += rows.size
        return symbols

    def _exceptions_within(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(indices into the next `count` symbols, values)."""
        positions, values = self._exceptions
        span = slice(*np.searchsorted(positions, [self._position, self._position + count]))
        return positions[span] - self._position, values[span]


def check_capacity(size: int, least_bits: float) -> None:
    """Raises PayloadSizeError if symbols that take `least_bits` or more cannot stand in `size` bytes.

    Without it a file of some bytes could claim millions of symbols and have memory for all of them.
    """
    if least_bits > 8 * size * CAPACITY_SLACK:
        raise PayloadSizeError(f"{size} bytes cannot hold a picture that takes {least_bits / 8:.0f} bytes or more")


def _factorised(rows: Symbols, tables: Tables) -> NDArray[np.int64]:
    if ((rows < 0) | (rows >= tables.gaussian_first)).any():
        raise UsageError(f"a row lies beyond the {tables.gaussian_first} factorised rows")
    return rows.ravel().astype(np.int64)


def _gaussian(rows: Symbols, tables: Tables) -> NDArray[np.int64]:
    if rows.size and (rows.min() < 0 or rows.max() >= tables.gaussian_count):
        raise UsageError(f"a row lies beyond the {tables.gaussian_count} Gaussian rows")
    return np.add(rows.ravel(), tables.gaussian_first, dtype=np.int64)


def _int16(symbols: Symbols) -> NDArray[np.int16]:
    if ((symbols < INT16.min) | (symbols > INT16.max)).any():
        raise ArithmeticFaultError("a symbol does not fit 16 bits: the network gave far too much")
    return symbols.astype(np.int16)


def _check_payload(size: int, symbol_count: int) -> None:
    if size < STATE_BYTES:
        raise TruncatedError(f"a payload has at least {STATE_BYTES} bytes, not {size}")
    # A symbol adds 16 bits at most, and a word leaves the state after two such.
    if size % 4 or size > STATE_BYTES + 4 * (max(symbol_count, SYMBOLS_MIN) // 2):
        raise PayloadSizeError(f"{symbol_count} symbols cannot take {size} bytes")


def _positions_and_values(
    exceptions: Iterable[CodingException], symbol_count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    found = np.array(sorted(exceptions), np.int64).reshape(-1, 2)
    if ((found[:, 0] < 0) | (found[:, 0] >= symbol_count)).any():
        raise ExceptionListError("an exception lies beyond the last symbol")
    return found[:, 0], found[:, 1]
