"""A safe interface of the range coder: symbols and rows to bytes and a list of exceptions, and back.

The range coder checks nothing. This module checks row indices, clips symbols, codes at least three of them, and pads
streams for the decoder. A symbol outside its row is clipped and listed as an exception, which is stored next to the
payload.
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

# Integer division in the coder changes the bits of a symbol by about 1e-4, much less than this.
CAPACITY_SLACK = 1.01
# The compiled coder reserves one word per symbol, but two rare symbols can take three words.
SYMBOLS_MIN = 3

Symbols = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class SymbolStream:
    """A finished stream: rANS words, exceptions by position, the CRC-32 and the number of its symbols."""

    payload: bytes
    exceptions: tuple[CodingException, ...]
    symbol_crc: int
    count: int


class SymbolWriter:
    """Codes symbols in passes. A SymbolReader must read them in the same order."""

    def __init__(self, tables: Tables, coder: RangeCoder | None = None) -> None:
        self._tables, self._coder = tables, coder or load_coder()
        self._passes: list[tuple[Symbols, NDArray[np.int64]]] = []
        self._exceptions: list[CodingException] = []
        self._crc = 0
        self._count = 0
        self._finished = False

    def write_rows(self, symbols: Symbols, rows: Symbols) -> None:
        """Code symbols of z, each with a factorised row. Both arrays have the same shape.

        Raises UsageError for a row out of range, ArithmeticFaultError for a symbol that does not fit 16 bits.
        """
        self._write(symbols, _factorised(rows, self._tables))

    def write_gaussian(self, symbols: Symbols, rows: Symbols) -> None:
        """Code symbols of y, each with a Gaussian row. Both arrays have the same shape.

        Raises UsageError for a row out of range, ArithmeticFaultError for a symbol that does not fit 16 bits.
        """
        self._write(symbols, _gaussian(rows, self._tables))

    def finish(self) -> SymbolStream:
        """The stream of everything written. The writer cannot be used afterwards.

        Fewer than SYMBOLS_MIN symbols are padded with zeros in the first Gaussian row, which the reader does not read.
        They cost no bytes, because every payload has at least 8.
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
    """Reads the symbols of a SymbolWriter, in the same passes. It is safe on any payload."""

    def __init__(
        self,
        tables: Tables,
        payload: bytes,
        exceptions: Iterable[CodingException],
        symbol_count: int,
        coder: RangeCoder | None = None,
    ) -> None:
        """`symbol_count` is the number of symbols of all passes.

        Raises TruncatedError for a payload below 8 bytes, PayloadSizeError for a length that is impossible for
        this number of symbols, ExceptionListError for an exception beyond the last symbol.
        """
        _check_payload(len(payload), symbol_count)
        check_capacity(len(payload), symbol_count * float(tables.least_bits.min()))
        self._tables = tables
        self._exceptions = _positions_and_values(exceptions, symbol_count)
        # A symbol reads at most one word, so with these zeros the coder never reads beyond the buffer.
        stream = payload + bytes(STATE_BYTES + 4 * symbol_count)
        self._decode = (coder or load_coder()).decoder(stream, tables)
        self._symbol_count = symbol_count
        self._crc = 0
        self._position = 0

    def read_rows(self, rows: Symbols) -> NDArray[np.int16]:
        """Read symbols of z, one for each factorised row, in the shape of `rows`.

        Raises UsageError for a row out of range or beyond the last symbol.
        """
        return self._read(_factorised(rows, self._tables)).reshape(rows.shape)

    def read_gaussian(self, rows: Symbols) -> NDArray[np.int16]:
        """Read symbols of y, one for each Gaussian row, in the shape of `rows`.

        Raises UsageError for a row out of range or beyond the last symbol.
        """
        return self._read(_gaussian(rows, self._tables)).reshape(rows.shape)

    def finish(self, expected_crc: int) -> None:
        """Check the stream, after all symbols have been read.

        Raises UsageError if some were not read, SymbolChecksumError if they differ from those that were written.
        """
        if self._position != self._symbol_count:
            raise UsageError(f"only {self._position} of {self._symbol_count} symbols were read")
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
        """The exceptions among the next `count` symbols: their indices and values."""
        positions, values = self._exceptions
        span = slice(*np.searchsorted(positions, [self._position, self._position + count]))
        return positions[span] - self._position, values[span]


def check_capacity(size: int, least_bits: float) -> None:
    """Raises PayloadSizeError if `size` bytes cannot hold `least_bits` bits.

    Otherwise a file of a few bytes could claim millions of symbols and have memory allocated for them.
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
        raise ArithmeticFaultError(
            "a symbol does not fit 16 bits: the output of the network is far too large, check the weights"
        )
    return symbols.astype(np.int16)


def _check_payload(size: int, symbol_count: int) -> None:
    if size < STATE_BYTES:
        raise TruncatedError(f"a payload has at least {STATE_BYTES} bytes, not {size}")
    # A symbol adds at most 16 bits, so at most one word is written for two symbols.
    if size % 4 or size > STATE_BYTES + 4 * (max(symbol_count, SYMBOLS_MIN) // 2):
        raise PayloadSizeError(f"{symbol_count} symbols cannot take {size} bytes")


def _positions_and_values(
    exceptions: Iterable[CodingException], symbol_count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    found = np.array(sorted(exceptions), np.int64).reshape(-1, 2)
    if ((found[:, 0] < 0) | (found[:, 0] >= symbol_count)).any():
        raise ExceptionListError("an exception lies beyond the last symbol")
    return found[:, 0], found[:, 1]
