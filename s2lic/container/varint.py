"""Non-negative integers in LEB128, in their shortest form only."""

from __future__ import annotations

from s2lic.errors import NumberSpellingError, OverrunError

MAX_BYTES = 9


def write_varint(value: int) -> bytes:
    """The low seven bits first. Bit 7 is set if another byte follows."""
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def read_varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """The number at `position`, and the position after it.

    Raises OverrunError at `end`, NumberSpellingError for a form that `write_varint` does not write.
    """
    value = 0
    for index in range(MAX_BYTES):
        if position + index >= end:
            raise OverrunError("a number is cut off")
        byte = data[position + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if byte == 0 and index > 0:
                raise NumberSpellingError("a number is written longer than it needs to be")
            return value, position + index + 1
    raise NumberSpellingError(f"a number is longer than {MAX_BYTES} bytes")
