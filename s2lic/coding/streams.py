"""Conversion between the streams of tiles and the parts of a file."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from s2lic.container.boxes import Container, Header
from s2lic.container.exceptions import CodingException, pack_exceptions, unpack_exceptions
from s2lic.container.header import EXACT_ARITHMETIC, ONE_STREAM, TILED
from s2lic.container.tiles import Box, Entry, Layout, one_stream, pack_tiles, unpack_tiles
from s2lic.entropy.config import EntropyRow
from s2lic.entropy.latent_size import LatentSize, least_bits
from s2lic.entropy.symbol_coder import SymbolStream, check_capacity
from s2lic.entropy.tables import Tables
from s2lic.errors import HeaderError
from s2lic.transform.config import STRIDE

RGB, GREY = 0, 1


def to_container(
    layout: Layout, streams: list[SymbolStream], model_id: bytes, quality_level: int, grey: bool
) -> Container:
    """Put streams into a container: one stream, or the streams of tiles and a list of their sizes."""
    tiled = layout != one_stream(layout.width, layout.height)
    header = Header(
        width=layout.width,
        height=layout.height,
        model_id=model_id,
        quality=quality_level,
        arithmetic=EXACT_ARITHMETIC,
        tiling=TILED if tiled else ONE_STREAM,
        colour=GREY if grey else RGB,
        symbol_crc32=0 if tiled else streams[0].symbol_crc,
    )
    entries = [Entry(len(tile.payload), tile.symbol_crc) for tile in streams]
    tiles = pack_tiles(layout, entries) if tiled else b""
    return Container(header, b"".join(tile.payload for tile in streams), pack_exceptions(_shifted(streams)), tiles)


def from_container(container: Container, row: EntropyRow) -> tuple[Layout, list[SymbolStream]]:
    """The layout and the stream of each tile, in file order. Raises a CorruptError."""
    header = container.header
    if header.tiling == TILED:
        if header.symbol_crc32:
            raise HeaderError("the header of a tiled file has a symbol checksum, which only tiles may have")
        layout, entries = unpack_tiles(container.tiles, header.width, header.height, len(container.payload))
    else:
        layout = one_stream(header.width, header.height)
        entries = [Entry(len(container.payload), header.symbol_crc32)]
    counts = [latent_size(tile).symbols(row) for tile in layout.tiles()]
    exceptions = _split(unpack_exceptions(container.exceptions, sum(counts)), counts)
    starts = accumulate((entry.length for entry in entries), initial=0)
    return layout, [
        SymbolStream(container.payload[start : start + entry.length], listed, entry.symbol_crc32, count)
        for start, entry, listed, count in zip(starts, entries, exceptions, counts, strict=False)
    ]


def check_payload_sizes(
    row: EntropyRow, tables: Tables, streams: list[SymbolStream], level: int, layout: Layout
) -> None:
    """Check that no tile has too few bytes for its pixels, before memory is allocated for them.

    Raises:
        PayloadSizeError: A tile has too few bytes.
    """
    for tile, stream in zip(layout.tiles(), streams, strict=True):
        check_capacity(len(stream.payload), least_bits(row, tables, level, latent_size(tile)))


def latent_size(tile: Box) -> LatentSize:
    """The size of y for a tile. The last row and column of an image may be padded."""
    return LatentSize(-(-tile.height // STRIDE), -(-tile.width // STRIDE))


def _shifted(streams: list[SymbolStream]) -> list[CodingException]:
    """Exceptions with positions in the whole file."""
    starts = accumulate((tile.count for tile in streams), initial=0)
    return [
        CodingException(start + position, value)
        for start, tile in zip(starts, streams, strict=False)
        for position, value in tile.exceptions
    ]


def _split(exceptions: tuple[CodingException, ...], counts: list[int]) -> list[tuple[CodingException, ...]]:
    """The inverse of `_shifted`."""
    starts = list(accumulate(counts, initial=0))
    tiles: list[list[CodingException]] = [[] for _ in counts]
    for position, value in exceptions:
        tile = bisect_right(starts, position) - 1
        tiles[tile].append(CodingException(position - starts[tile], value))
    return [tuple(listed) for listed in tiles]
