"""Streams of tiles into the parts of one file and back."""

from __future__ import annotations

import dataclasses

import pytest

from s2lic.coding.streams import from_container, latent_size, to_container
from s2lic.container.boxes import pack, unpack
from s2lic.container.exceptions import CodingException
from s2lic.container.header import ONE_STREAM, TILED
from s2lic.container.tiles import Layout, one_stream
from s2lic.entropy.symbol_coder import SymbolStream
from s2lic.errors import HeaderError
from s2lic.model import config

ROW_OF_SIZES = config("tiny").entropy


def coded(layout: Layout) -> list[SymbolStream]:
    """Made-up streams whose exceptions stand at both ends of every tile."""
    streams = []
    for index, tile in enumerate(layout.tiles()):
        count = latent_size(tile).symbols(ROW_OF_SIZES)
        exceptions = tuple(CodingException(at, index) for at in (0, index + 1, count - 1))
        streams.append(SymbolStream(bytes([index] * (8 + 4 * index)), exceptions, 1000 + index, count))
    return streams


@pytest.mark.parametrize("layout", [one_stream(600, 500), Layout(600, 500, 256, 320), Layout(257, 1, 256, 256)])
def test_every_stream_comes_back_with_its_exceptions(layout: Layout) -> None:
    streams = coded(layout)
    container = unpack(pack(to_container(layout, streams, bytes(8), 5000, grey=False)))
    assert from_container(container, ROW_OF_SIZES) == (layout, streams)


def test_a_single_stream_has_no_list_of_tiles_and_its_checksum_in_the_header() -> None:
    layout = one_stream(60, 50)
    container = to_container(layout, coded(layout), bytes(8), 5000, grey=True)
    assert (container.tiles, container.header.tiling, container.header.symbol_crc32) == (b"", ONE_STREAM, 1000)


def test_tiles_have_their_checksums_in_their_list() -> None:
    layout = Layout(600, 500, 256, 256)
    container = to_container(layout, coded(layout), bytes(8), 5000, grey=False)
    assert (container.header.tiling, container.header.symbol_crc32) == (TILED, 0)
    assert container.tiles[:2] == bytes([256 // 64, 256 // 64])
    assert len(container.tiles) == 2 + 6 * 5


def test_a_checksum_in_the_header_of_a_tiled_file_is_a_header_error() -> None:
    layout = Layout(600, 500, 256, 256)
    container = to_container(layout, coded(layout), bytes(8), 5000, grey=False)
    header = dataclasses.replace(container.header, symbol_crc32=1)
    with pytest.raises(HeaderError, match="which only tiles may have"):
        from_container(dataclasses.replace(container, header=header), ROW_OF_SIZES)
