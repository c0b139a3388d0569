"""The entries of an Exif block that depend on the orientation, and its resolution (Exif 2.32, TIFF 6.0).

A block is changed in place or at its end, so that all other bytes stay and all offsets remain valid.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, UNIT = 0x0112, 0x011A, 0x011B, 0x0128
SHORT, RATIONAL = 3, 5
NO_UNIT, INCH, CENTIMETRE = 1, 2, 3

_EXIF_DIRECTORY = 0x8769
# The thumbnail in the second directory: offset and length, for JPEG and for uncompressed samples.
_THUMBNAILS = ((0x0201, 0x0202), (0x0111, 0x0117))
# Entries of width and height, which are swapped by a turn of 90 degrees.
_PAIRS = ((0x0100, 0x0101), (X_RESOLUTION, Y_RESOLUTION), (0xA002, 0xA003), (0xA20E, 0xA20F))
# A point, circle or rectangle of the main subject, by its centre in pixels.
_SUBJECTS = (0x9214, 0xA214)
# The types that an integer may have.
_WHOLE = {3: "H", 4: "I", 8: "h", 9: "i"}


@dataclass(frozen=True)
class Resolution:
    """Pixels per inch in x and y. Without a unit, only the ratio has a meaning."""

    x: float
    y: float
    unit: int = INCH

    def is_near(self, other: Resolution | None) -> bool:
        """Whether both are equal up to rounding to whole pixels per metre."""
        return (
            other is not None
            and self.unit == other.unit
            and all(math.isclose(a, b, rel_tol=1e-3) for a, b in ((self.x, other.x), (self.y, other.y)))
        )


class _Block:
    """A block to change. Raises struct.error if it is truncated or not Exif."""

    def __init__(self, block: bytes) -> None:
        self.data = bytearray(block)
        order = {b"II": "<", b"MM": ">"}.get(block[:2])
        if order is None:
            raise struct.error("no Exif")
        self.order = order
        (self.first,) = self.get("I", 4)

    def get(self, form: str, at: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + form, self.data, at)

    def put(self, form: str, at: int, *values: int) -> None:
        struct.pack_into(self.order + form, self.data, at, *values)

    def entries(self, directory: int) -> dict[int, int]:
        """The offset of the entry of each tag."""
        (count,) = self.get("H", directory)
        self.get("I", directory + 2 + 12 * count)  # a truncated directory is ignored
        return {self.get("H", at)[0]: at for at in range(directory + 2, directory + 2 + 12 * count, 12)}

    def number(self, at: int) -> int | None:
        """The value of an entry, if it is one integer."""
        kind, count = self.get("HI", at + 2)
        return self.get(_WHOLE[kind], at + 8)[0] if kind in _WHOLE and count == 1 else None

    def rational(self, at: int) -> float | None:
        kind, count, place = self.get("HII", at + 2)
        if (kind, count) != (RATIONAL, 1):
            return None
        above, below = self.get("II", place)
        return above / below if below else None

    def directories(self) -> Iterator[dict[int, int]]:
        """The first directory and the Exif directory."""
        first = self.entries(self.first)
        yield first
        if _EXIF_DIRECTORY in first and (at := self.number(first[_EXIF_DIRECTORY])):
            yield self.entries(at)


def turned_exif(block: bytes, turn: int, size: tuple[int, int]) -> bytes:
    """The block of an image that was turned upright: orientation 1, and the entries that depend on it adapted.

    `turn` is the former orientation and `size` the former (width, height). The thumbnail is dropped. Width and height
    are swapped, and so are their resolutions. The subject area is moved.
    """
    try:
        changed = _Block(block)
        _set_orientation(changed)
    except struct.error:  # no viewer reads beyond the end of a truncated block
        return block
    with contextlib.suppress(struct.error):
        _turn_entries(changed, turn, size)
    with contextlib.suppress(struct.error):
        _drop_thumbnail(changed)
    return bytes(changed.data)


def resolution_of(block: bytes) -> Resolution | None:
    """The resolution in the block."""
    try:
        found = _Block(block)
        first = found.entries(found.first)
        x, y = (found.rational(first[tag]) for tag in (X_RESOLUTION, Y_RESOLUTION))
        unit = found.number(first[UNIT]) if UNIT in first else INCH
    except (struct.error, KeyError):
        return None
    if not x or not y or unit not in (NO_UNIT, INCH, CENTIMETRE):
        return None
    return Resolution(2.54 * x, 2.54 * y) if unit == CENTIMETRE else Resolution(x, y, unit)


def with_resolution(block: bytes | None, resolution: Resolution) -> bytes:
    """The block with that resolution. An unreadable block is not changed, and a missing one is created."""
    try:
        changed = _Block(block or struct.pack("<2sHIHI", b"II", 42, 8, 0, 0))
        kept = changed.entries(changed.first)
    except struct.error:
        return block or b""
    order, data = changed.order, bytes(changed.data) + bytes(len(changed.data) % 2)
    (following,) = changed.get("I", changed.first + 2 + 12 * len(kept))
    values = {X_RESOLUTION: _ratio(resolution.x), Y_RESOLUTION: _ratio(resolution.y)}
    rows = {tag: data[at : at + 12] for tag, at in kept.items()}
    rows[UNIT] = struct.pack(f"{order}HHIHH", UNIT, SHORT, 1, resolution.unit, 0)
    place = len(data) + 2 + 12 * len({*rows, *values}) + 4
    for number, tag in enumerate(values):
        rows[tag] = struct.pack(f"{order}HHII", tag, RATIONAL, 1, place + 8 * number)
    directory = struct.pack(f"{order}H", len(rows)) + b"".join(rows[tag] for tag in sorted(rows))
    numbers = b"".join(struct.pack(f"{order}II", *value) for value in values.values())
    head = data[:4] + struct.pack(f"{order}I", len(data)) + data[8:]
    return head + directory + struct.pack(f"{order}I", following) + numbers


def _ratio(value: float) -> tuple[int, int]:
    nearest = Fraction(value).limit_denominator(10_000)
    whole = round(value)
    # PNG and BMP round to whole pixels per metre; 39.37 of these are 1 pixel per inch.
    return (whole, 1) if abs(value - whole) < 0.6 / 39.37 and whole else (nearest.numerator, nearest.denominator)


def _set_orientation(block: _Block) -> None:
    (count,) = block.get("H", block.first)
    for at in range(block.first + 2, block.first + 2 + 12 * count, 12):
        if block.get("H", at)[0] == ORIENTATION and block.number(at) is not None:
            kind, _ = block.get("HI", at + 2)
            block.put(_WHOLE[kind], at + 8, 1)


def _turn_entries(block: _Block, turn: int, size: tuple[int, int]) -> None:
    for entries in block.directories():
        for wide, high in _PAIRS if turn >= 5 else ():
            if wide in entries and high in entries:
                a, b = entries[wide] + 2, entries[high] + 2
                block.data[a : a + 10], block.data[b : b + 10] = block.data[b : b + 10], block.data[a : a + 10]
        for tag in _SUBJECTS:
            if tag in entries:
                _turn_subject(block, entries[tag], turn, size)


def _turn_subject(block: _Block, at: int, turn: int, size: tuple[int, int]) -> None:
    kind, count = block.get("HI", at + 2)
    if kind != SHORT or count not in (2, 3, 4):
        return
    place = at + 8 if count == 2 else block.get("I", at + 8)[0]
    x, y, *extent = block.get(f"{count}H", place)
    x, y = _turned_point(x, y, turn, size)
    block.put(f"{count}H", place, x, y, *(reversed(extent) if turn >= 5 else extent))


def _turned_point(x: int, y: int, turn: int, size: tuple[int, int]) -> tuple[int, int]:
    """The position in the upright image of a pixel of the stored image."""
    across, down = max(size[0] - 1 - x, 0), max(size[1] - 1 - y, 0)
    return {
        2: (across, y),
        3: (across, down),
        4: (x, down),
        5: (y, x),
        6: (down, x),
        7: (down, across),
        8: (y, across),
    }[turn]


def _drop_thumbnail(block: _Block) -> None:
    """Remove the thumbnail, which would not be upright, or overwrite it if data follows it."""
    (count,) = block.get("H", block.first)
    link = block.first + 2 + 12 * count
    (second,) = block.get("I", link)
    if not second:
        return
    entries = block.entries(second)
    block.put("I", link, 0)
    for start, length in _THUMBNAILS:
        if start in entries and length in entries:
            at, size_in_bytes = block.number(entries[start]), block.number(entries[length])
            if at and size_in_bytes and at + size_in_bytes <= len(block.data):
                behind = block.data[at + size_in_bytes :]
                block.data[at:] = bytes(size_in_bytes) + behind if behind.strip(b"\0") else b""
