"""How pictures are cut: every pixel once, and a box that cannot lie."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2lic.container.boxes import Limits
from s2lic.container.tiles import (
    GRID,
    STREAM_PIXELS,
    Entry,
    Layout,
    crop_box,
    layout_of,
    one_stream,
    pack_tiles,
    unpack_tiles,
)
from s2lic.container.varint import write_varint
from s2lic.defaults import SIDE_MAX, SIDE_MIN
from s2lic.errors import CorruptError, CropRangeError, OverrunError, TileListError
from tests.layouts import layouts, times_covered

entries = st.builds(Entry, st.integers(8, 2**40), st.integers(0, 2**32 - 1))


@settings(max_examples=30, deadline=None)
@given(layouts)
def test_tiles_cover_every_pixel_once(layout: Layout) -> None:
    assert times_covered(layout, list(layout.tiles())) == {1}


@given(st.integers(1, 20000), st.integers(1, 20000), st.sampled_from([256, 512, 1024, 5000]))
def test_a_picture_is_cut_above_two_tiles_and_evenly(width: int, height: int, side: int) -> None:
    layout = layout_of(width, height, side)
    if width * height <= min(2 * side**2, 2**22):
        assert layout == one_stream(width, height)
        return
    assert SIDE_MIN <= layout.tile_width <= min(side, SIDE_MAX)
    assert SIDE_MIN <= layout.tile_height <= min(side, SIDE_MAX)
    assert layout.tile_width % GRID == layout.tile_height % GRID == 0
    assert layout.rows * layout.columns > 1


@given(st.integers(1, 20000), st.integers(1, 20000), st.integers(SIDE_MIN, SIDE_MAX))
def test_a_stream_has_no_more_pixels_than_a_reader_takes_by_itself(width: int, height: int, side: int) -> None:
    layout = layout_of(width, height, side)
    assert layout != one_stream(width, height) or width * height <= Limits().pixels(tiled=False)
    assert layout.tile_width * layout.tile_height <= STREAM_PIXELS


@settings(deadline=None)
@given(layouts, st.data())
def test_the_box_is_read_as_it_was_written(layout: Layout, data: st.DataObject) -> None:
    count = layout.rows * layout.columns
    listed = data.draw(st.lists(entries, min_size=count, max_size=count))
    size = sum(entry.length for entry in listed)
    assert unpack_tiles(pack_tiles(layout, listed), layout.width, layout.height, size) == (layout, listed)


LAYOUT = Layout(600, 500, 256, 256)
LISTED = [Entry(8 + 4 * i, i) for i in range(6)]
SIZE = sum(entry.length for entry in LISTED)
BOX = pack_tiles(LAYOUT, LISTED)


def refused(box: bytes, size: int = SIZE, width: int = 600, error: type[CorruptError] = TileListError) -> str:
    with pytest.raises(error) as found:
        unpack_tiles(box, width, 500, size)
    return str(found.value)


@pytest.mark.parametrize("cut", range(len(BOX)))
def test_a_list_cut_anywhere_is_refused(cut: int) -> None:
    assert "cut off" in refused(BOX[:cut], error=OverrunError)


def test_bytes_behind_the_last_tile_are_refused() -> None:
    assert "follow the last tile" in refused(BOX + b"\0")


@pytest.mark.parametrize("by", [-4, 4])
def test_lengths_that_are_not_those_of_the_payload_are_refused(by: int) -> None:
    assert "do not take" in refused(BOX, SIZE + by)


def test_a_tile_without_a_payload_is_refused() -> None:
    listed = [Entry(4, 0), *LISTED[1:]]
    assert "has no payload" in refused(pack_tiles(LAYOUT, listed), SIZE - 4)


@pytest.mark.parametrize("steps", [0, SIDE_MIN // GRID - 1, SIDE_MAX // GRID + 1, 2**40])
def test_tiles_too_small_for_a_halo_or_too_large_for_memory_are_refused(steps: int) -> None:
    assert "pixels wide or high" in refused(write_varint(steps) + BOX[1:])
    assert "pixels wide or high" in refused(BOX[:1] + write_varint(steps) + BOX[2:])


def test_tiles_without_number_are_refused_before_they_are_listed() -> None:
    assert "is cut off" in refused(BOX, width=2**31 - 1, error=OverrunError)


@pytest.mark.parametrize("crop", [(0, 0, 0, 5), (0, 0, 5, -1), (-1, 0, 5, 5), (596, 0, 5, 5), (0, 496, 5, 5)])
def test_a_crop_beyond_the_picture_is_refused(crop: tuple[int, int, int, int]) -> None:
    with pytest.raises(CropRangeError, match="not within 600 x 500"):
        crop_box(crop, LAYOUT.whole)


def test_a_crop_may_be_all_of_the_picture() -> None:
    assert crop_box((0, 0, 600, 500), LAYOUT.whole) == LAYOUT.whole
