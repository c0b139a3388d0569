"""The exceptions of a coded stream: symbols outside the range of their rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from s2lic.container.varint import read_varint, write_varint
from s2lic.errors import ExceptionListError, OverrunError, UsageError

VALUE_MAX = 0xFFFF


class CodingException(NamedTuple):
    """A symbol outside its row: its position in coding order, and its value (int16)."""

    position: int
    value: int


def pack_exceptions(exceptions: Iterable[CodingException]) -> bytes:
    """The bytes of exceptions, empty without any.

    They are varints: the count, then for each exception the number of symbols since the last one and its zigzag value.

    Raises UsageError for two exceptions at one position and for values beyond 16 bits.
    """
    ordered = sorted(exceptions)
    numbers, previous = [len(ordered)] if ordered else [], -1
    for position, value in ordered:
        gap, number = position - previous - 1, (value << 1) ^ (value >> 15)
        if gap < 0 or not 0 <= number <= VALUE_MAX:
            raise UsageError(f"exception {(position, value)} cannot be written")
        numbers += [gap, number]
        previous = position
    return b"".join(write_varint(number) for number in numbers)


def unpack_exceptions(data: bytes, symbol_count: int) -> tuple[CodingException, ...]:
    """The exceptions in `data`, by position, of a stream of `symbol_count` symbols.

    Raises OverrunError if the data ends early, NumberSpellingError for padded numbers, ExceptionListError
    for a count, positions or values out of range, trailing bytes and an empty list.
    """
    if not data:
        return ()
    count, start = _count(data, symbol_count)
    entries: list[CodingException] = []
    position = -1
    for _ in range(count):
        gap, start = read_varint(data, start, len(data))
        number, start = read_varint(data, start, len(data))
        position += gap + 1
        if position >= symbol_count or number > VALUE_MAX:
            raise ExceptionListError("an exception lies beyond the last symbol or 16 bits")
        entries.append(CodingException(position, (number >> 1) ^ -(number & 1)))
    if start != len(data):
        raise ExceptionListError(f"{len(data) - start} bytes follow the last exception")
    return tuple(entries)


def _count(data: bytes, symbol_count: int) -> tuple[int, int]:
    """The count of exceptions, checked against the data, and the position after it."""
    count, start = read_varint(data, 0, len(data))
    if not 0 < count <= symbol_count:
        raise ExceptionListError(f"{count} exceptions do not fit {symbol_count} symbols")
    if 2 * count > len(data) - start:
        raise OverrunError("the list of exceptions is cut off")
    return count, start
