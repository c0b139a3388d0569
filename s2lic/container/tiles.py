"""The tiles of a large picture, and the box that lists them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from s2lic.container.header import STATE_BYTES
from s2lic.container.varint import read_varint, write_varint
from s2lic.defaults import SIDE, SIDE_MAX, SIDE_MIN
from s2lic.errors import CropRangeError, OverrunError, TileListError

# Attention has windows of 8 at stride 8. Tiles that start on multiples of 64 have the windows of the whole picture.
GRID = 64
# The most pixels of one stream, equal to the largest tile. Decoding a stream takes far more memory per pixel than the
# picture.
STREAM_PIXELS = SIDE_MAX**2
_CRC_BYTES = 4

Cell = tuple[int, int]  # row and column of a tile


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def corners(self) -> tuple[int, int, int, int]:
        return self.left, self.top, self.right, self.bottom

    def grown(self, by: int, within: Box) -> Box:
        """The box enlarged by a number of pixels on each side, clipped to another box."""
        return Box(
            max(self.left - by, within.left),
            max(self.top - by, within.top),
            min(self.right + by, within.right),
            min(self.bottom + by, within.bottom),
        )


@dataclass(frozen=True)
class Layout:
    """A picture of width x height pixels in tiles of equal size. Those in the last column and row may be smaller."""

    width: int
    height: int
    tile_width: int
    tile_height: int

    @property
    def whole(self) -> Box:
        return Box(0, 0, self.width, self.height)

    @property
    def columns(self) -> int:
        return -(-self.width // self.tile_width)

    @property
    def rows(self) -> int:
        return -(-self.height // self.tile_height)

    def tile(self, row: int, column: int) -> Box:
        """The pixels of one tile, clipped to the picture."""
        left, top = column * self.tile_width, row * self.tile_height
        right, bottom = left + self.tile_width, top + self.tile_height
        return Box(left, top, min(right, self.width), min(bottom, self.height))

    def cells(self) -> Iterator[Cell]:
        """The tiles row by row, which is the order of the file."""
        return product(range(self.rows), range(self.columns))

    def tiles(self) -> Iterator[Box]:
        """The pixels of all tiles in the order of the file."""
        return (self.tile(*cell) for cell in self.cells())


def one_stream(width: int, height: int) -> Layout:
    """The whole picture as its only tile."""
    return Layout(width, height, width, height)


def crop_box(crop: tuple[int, int, int, int], whole: Box) -> Box:
    """The box of (x, y, width, height). Raises CropRangeError if it is empty or not within the picture."""
    if len(crop) != 4:
        raise CropRangeError(f"a crop is (x, y, width, height), not {len(crop)} numbers")
    x, y, width, height = crop
    box = Box(x, y, x + width, y + height)
    if width < 1 or height < 1 or box.grown(0, whole) != box:
        raise CropRangeError(f"a crop of {width} x {height} at {x}, {y} is not within {whole.width} x {whole.height}")
    return box


def layout_of(width: int, height: int, side: int = SIDE) -> Layout:
    """One stream for a small picture, else tiles of about `side` pixels.

    A picture is small if it has at most the pixels of two tiles, and at most those of one stream.
    """
    if width * height <= min(2 * side**2, STREAM_PIXELS):
        return one_stream(width, height)
    side = min(side, SIDE_MAX)
    return Layout(width, height, _even(width, side), _even(height, side))


def _even(size: int, side: int) -> int:
    """A width or height of tiles such that the last tile is not much smaller."""
    count = -(-size // side)
    return max(SIDE_MIN, -(-size // (count * GRID)) * GRID)


@dataclass(frozen=True)
class Entry:
    """One tile in the box: the number of bytes of its payload, and the CRC-32 of its symbols."""

    length: int
    symbol_crc32: int


def pack_tiles(layout: Layout, entries: list[Entry]) -> bytes:
    """The content of the tiles box."""
    sides = write_varint(layout.tile_width // GRID) + write_varint(layout.tile_height // GRID)
    return sides + b"".join(
        write_varint(entry.length) + entry.symbol_crc32.to_bytes(_CRC_BYTES, "little") for entry in entries
    )


def unpack_tiles(box: bytes, width: int, height: int, payload: int) -> tuple[Layout, list[Entry]]:
    """The layout of a picture and its tiles, whose lengths add up to `payload` bytes.

    Raises TileListError, OverrunError or NumberSpellingError.
    """
    tile_width, start = _side(box, 0)
    tile_height, start = _side(box, start)
    layout = Layout(width, height, tile_width, tile_height)
    count = layout.rows * layout.columns
    if count * (1 + _CRC_BYTES) > len(box) - start:
        raise OverrunError(f"the list of {count} tiles is cut off")
    entries = []
    for _ in range(count):
        entry, start = _entry(box, start)
        entries.append(entry)
    if start != len(box):
        raise TileListError(f"{len(box) - start} bytes follow the last tile")
    if sum(entry.length for entry in entries) != payload:
        raise TileListError(f"the tiles do not take the {payload} bytes of the payload")
    return layout, entries


def _side(box: bytes, start: int) -> tuple[int, int]:
    steps, start = read_varint(box, start, len(box))
    if not SIDE_MIN <= steps * GRID <= SIDE_MAX:
        raise TileListError(f"a tile cannot be {steps * GRID} pixels wide or high")
    return steps * GRID, start


def _entry(box: bytes, start: int) -> tuple[Entry, int]:
    length, start = read_varint(box, start, len(box))
    stop = start + _CRC_BYTES
    if stop > len(box):
        raise OverrunError("a tile's checksum is cut off")
    if length < STATE_BYTES:
        raise TileListError(f"a tile of {length} bytes has no payload")
    return Entry(length, int.from_bytes(box[start:stop], "little")), stop
