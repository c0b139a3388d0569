"""Large pictures through the frozen model, in tiles small enough for a test."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from s2lic.codec import Codec
from s2lic.coding import decoder
from s2lic.container.boxes import Container, pack, unpack
from s2lic.container.header import ONE_STREAM, TILED
from s2lic.container.tiles import Entry, Layout, layout_of, pack_tiles, unpack_tiles
from s2lic.entropy.latent_coder import LatentCoder
from s2lic.errors import CropRangeError, PayloadSizeError, SymbolChecksumError
from tests.frozen import MODEL, picture

SIDE, SIZE = 256, (620, 500)
LAYOUT = layout_of(*SIZE, SIDE)  # two rows of three


@cache
def tiler(jobs: int = 1) -> Codec:
    return Codec(MODEL, tile=SIDE, jobs=jobs)


@cache
def tiled(mode: str = "RGB") -> bytes:
    return tiler().encode(picture("portrait", mode, SIZE), 70)


@cache
def decoded() -> NDArray[np.uint8]:
    return np.asarray(tiler().decode(tiled()))


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    return float(-10 * np.log10(np.mean((a.astype(float) - b)[where] ** 2) / 255**2))


def near_borders(layout: Layout, reach: int = 32) -> NDArray[np.bool_]:
    near = np.zeros((layout.height, layout.width), bool)
    for tile in layout.tiles():
        if tile.left:
            near[:, tile.left - reach : tile.left + reach] = True
        if tile.top:
            near[tile.top - reach : tile.top + reach] = True
    return near


def test_a_picture_of_two_tiles_pixels_stays_one_stream() -> None:
    image = picture("shapes", size=(512, 256))
    data = tiler().encode(image, 40)
    assert unpack(data).header.tiling == ONE_STREAM
    assert data == Codec(MODEL).encode(image, 40)


def test_a_larger_one_is_tiled_and_comes_back() -> None:
    assert (LAYOUT.rows, LAYOUT.columns) == (2, 3)
    assert unpack(tiled()).header.tiling == TILED
    assert decoded().shape == (500, 620, 3)


def test_grey_stays_grey_in_tiles() -> None:
    assert tiler().decode(tiled("L")).mode == "L"


def test_pixels_beside_the_borders_are_as_good_as_without_tiles() -> None:
    image, plain = picture("portrait", size=SIZE), Codec(MODEL)
    original, near = np.asarray(image), near_borders(LAYOUT)
    untiled = np.asarray(plain.decode(plain.encode(image, 70, effort=0)))
    assert psnr(decoded(), original, near) > psnr(untiled, original, near) - 0.05


@pytest.mark.parametrize("crop", [(0, 0, 1, 1), (200, 170, 130, 150), (619, 499, 1, 1), (0, 300, 620, 5)])
def test_a_crop_is_the_part_of_the_whole(crop: tuple[int, int, int, int]) -> None:
    x, y, width, height = crop
    part = tiler().decode(tiled(), crop=crop)
    assert part.size == (width, height)
    assert np.array_equal(np.asarray(part), decoded()[y : y + height, x : x + width])


def test_a_crop_decodes_only_the_tiles_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    real = LatentCoder.decode

    def counted(*arguments, **named):  # type: ignore[no-untyped-def]
        sizes.append(arguments[3])
        return real(*arguments, **named)

    monkeypatch.setattr(LatentCoder, "decode", counted)
    tiler().decode(tiled(), crop=(10, 10, 40, 40))
    assert len(sizes) == 1
    tiler().decode(tiled(), crop=(230, 10, 40, 40))
    assert len(sizes) == 1 + 2


def test_a_picture_in_one_stream_is_cropped_too() -> None:
    image, plain = picture("shapes"), Codec(MODEL)
    data = plain.encode(image, 40)
    part = plain.decode(data, crop=(30, 20, 50, 40))
    assert np.array_equal(np.asarray(part), np.asarray(plain.decode(data))[20:60, 30:80])


def test_a_crop_beyond_the_picture_is_the_callers_fault() -> None:
    with pytest.raises(CropRangeError):
        tiler().decode(tiled(), crop=(600, 0, 21, 10))


def test_the_number_of_jobs_changes_nothing() -> None:
    assert tiler(3).encode(picture("portrait", size=SIZE), 70) == tiled()
    assert np.array_equal(np.asarray(tiler(3).decode(tiled())), decoded())


def test_the_symbols_of_each_tile_are_checked() -> None:
    container = unpack(tiled())
    _, listed = unpack_tiles(container.tiles, *SIZE, len(container.payload))
    listed[4] = Entry(listed[4].length, listed[4].symbol_crc32 ^ 1)
    damaged = pack(dataclasses.replace(container, tiles=pack_tiles(LAYOUT, listed)))
    with pytest.raises(SymbolChecksumError):
        tiler().decode(damaged)
    # Nothing of it is needed for the first tile.
    assert tiler().decode(damaged, crop=(0, 0, 9, 9)).size == (9, 9)


def test_tiles_too_short_for_their_pixels_are_refused_before_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    header = dataclasses.replace(unpack(tiled()).header, width=4096, height=4096)
    table = pack_tiles(Layout(4096, 4096, 1024, 1024), [Entry(8, 0)] * 16)
    monkeypatch.setattr(decoder.Image, "new", None)
    with pytest.raises(PayloadSizeError, match="cannot hold"):
        tiler().decode(pack(Container(header, bytes(8 * 16), b"", table)))


def test_a_large_picture_is_pasted_into_its_own_size() -> None:
    image = Image.new("RGB", (1300, 110), (200, 30, 90))
    assert tiler().decode(tiler().encode(image, 90)).size == (1300, 110)
