"""The exceptions of a coded stream: what a decoder must be told because it might get it wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from s2lic.container.varint import read_varint, write_varint
from s2lic.errors import ExceptionListError, OverrunError, UsageError

# Written into files: never renumber.
ROW = 0
SYMBOL = 1
KINDS = (ROW, SYMBOL)
VALUE_MAX = 0xFFFF


class CodingException(NamedTuple):
    """One element that is not left to the tables.

    kind: ROW, whose value is the element's Gaussian row, or SYMBOL, whose value is its true symbol
    (int16), which lies beyond its row. position: how many symbols precede it in coding order.
    """

    kind: int
    position: int
    value: int


def pack_exceptions(exceptions: Iterable[CodingException]) -> bytes:
    """No bytes for none; else varints: the count of each kind, then (gap, value) pairs by kind.

    A gap is the number of symbols since the last exception of that kind; a SYMBOL's value is
    zigzag-coded. Raises UsageError for two exceptions of one kind at one position and for values
    beyond 16 bits.
    """
    ordered = sorted(exceptions)
    if not ordered:
        return b""
    kinds = [[entry for entry in ordered if entry.kind == kind] for kind in KINDS]
    numbers = [len(entries) for entries in kinds]
    for entries in kinds:
        numbers += _pairs(entries)
    return b"".join(write_varint(number) for number in numbers)


def unpack_exceptions(data: bytes, symbol_count: int) -> tuple[CodingException, ...]:
    """The exceptions in `data`, by (kind, position), of a stream of `symbol_count` symbols.

    Raises OverrunError where the data ends early, NumberSpellingError for padded numbers, ExceptionListError
    for counts, positions or values out of range, trailing bytes and a list of none.
    """
    if not data:
        return ()
    counts, start = _counts(data, symbol_count)
    entries: list[CodingException] = []
    for kind, count in zip(KINDS, counts, strict=True):
        position = -1
        for _ in range(count):
            gap, start = read_varint(data, start, len(data))
            value, start = read_varint(data, start, len(data))
            position += gap + 1
            if position >= symbol_count or value > VALUE_MAX:
                raise ExceptionListError("an exception lies beyond the last symbol or 16 bits")
            entries.append(CodingException(kind, position, _value(kind, value)))
    if start != len(data):
        raise ExceptionListError(f"{len(data) - start} bytes follow the last exception")
    return tuple(entries)


def _counts(data: bytes, symbol_count: int) -> tuple[list[int], int]:
    """The count of each kind, each believable, and where they end."""
    counts, start = [], 0
    for _ in KINDS:
        count, start = read_varint(data, start, len(data))
        counts.append(count)
    if max(counts) > symbol_count or sum(counts) == 0:
        raise ExceptionListError(f"{sum(counts)} exceptions do not fit {symbol_count} symbols")
    if 2 * sum(counts) > len(data) - start:
        raise OverrunError("the list of exceptions is cut off")
    return counts, start


def _pairs(entries: list[CodingException]) -> list[int]:
    numbers, previous = [], -1
    for kind, position, value in entries:
        gap = position - previous - 1
        number = value if kind == ROW else (value << 1) ^ (value >> 15)
        if gap < 0 or not 0 <= number <= VALUE_MAX:
            raise UsageError(f"exception {(kind, position, value)} cannot be written")
        numbers += [gap, number]
        previous = position
    return numbers


def _value(kind: int, number: int) -> int:
    return number if kind == ROW else (number >> 1) ^ -(number & 1)
