"""Regions of interest: bits go where the map says, and both sides agree on where that is."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from s2lic.codec import Codec
from s2lic.coding.networks import to_tensor
from s2lic.coding.roi import NEUTRAL, Roi, roi_of, step_exponents, unpack_roi
from s2lic.coding.targets import PSNR
from s2lic.container import boxes
from s2lic.container.boxes import unpack
from s2lic.container.tiles import Box, layout_of
from s2lic.errors import BitstreamError, PayloadSizeError, RegionMapError, TruncatedError, UnsupportedFeatureError
from tests.coding.trials import trials
from tests.frozen import MODEL, codec, picture

SIZE = (400, 320)
REGION, WITHIN = (100, 100, 260, 260), (128, 128, 256, 256)


def mask(size: tuple[int, int] = SIZE) -> Image.Image:
    image = Image.new("L", size, 0)
    image.paste(255, REGION)
    return image


def psnr(data: bytes, image: Image.Image, box: tuple[int, int, int, int]) -> float:
    back, original = (np.asarray(each.crop(box), float) for each in (codec().decode(data), image))
    return float(-10 * np.log10(np.mean((back - original) ** 2) / 255**2))


@given(arrays(np.uint8, (3, 4), elements=st.integers(0, 7)), st.integers(193, 256), st.integers(129, 192))
def test_the_mask_of_a_map_gives_the_same_map(levels: NDArray[np.uint8], width: int, height: int) -> None:
    found = Roi(levels).mask((width, height))
    assert found.size == (width, height)
    assert np.array_equal(roi_of(found, found.size).levels, levels)


@pytest.mark.parametrize("tile", [1024, 256])
def test_a_map_of_mid_grey_changes_no_byte(tile: int) -> None:
    coder, image = Codec(MODEL, tile=tile), picture("portrait", size=(400, 400))
    plain = coder.encode(image, 60)
    assert coder.encode(image, 60, roi=Image.new("L", (7, 5), 128)) == plain
    assert unpack(plain).roi == b""


def test_at_equal_size_the_region_gains_and_the_rest_pays() -> None:
    image = picture("portrait", size=SIZE)
    plain = codec().encode(image, 60)
    data = codec().encode(image, target_size=len(plain), roi=mask())
    assert abs(len(data) / len(plain) - 1) <= 0.01
    assert psnr(data, image, WITHIN) > psnr(plain, image, WITHIN) + 0.1
    assert psnr(data, image, (0, 0, *SIZE)) < psnr(plain, image, (0, 0, *SIZE))


def test_the_psnr_that_is_aimed_at_is_that_with_the_map() -> None:
    image = picture("portrait", size=SIZE)
    trial = trials(codec(), image, PSNR, roi=mask()).measure(5500)
    assert trial.value == pytest.approx(psnr(trial.data, image, (0, 0, *SIZE)), abs=1e-4)
    assert trial.data == codec().encode(image, 55, roi=mask(), effort=0)


def test_every_level_costs_more_than_the_one_below_and_the_last_leaves_less_error_than_the_first() -> None:
    networks = codec().networks
    y = networks.analyse(to_tensor(picture("portrait", size=(64, 64))), 7000)
    sizes, errors = [], []
    for level in range(8):
        step_exponent = step_exponents(Roi(np.full((1, 1), level, np.uint8)), [Box(0, 0, 64, 64)])
        (coded,), y_hat = networks.encode_latent(y, 7000, step_exponent)
        sizes.append(len(coded.payload))
        errors.append(float((y_hat - y).square().mean()))
    assert all(low < high for low, high in pairwise(sizes))
    assert errors[7] < errors[0]


def test_raising_one_cell_lowers_its_error_and_leaves_a_far_one_alone() -> None:
    image, levels = picture("portrait", size=(320, 64)), np.full((1, 5), NEUTRAL, np.uint8)
    plain = codec().encode(image, 70)
    levels[0, 0] = 7
    raised = codec().encode(image, 70, roi=Image.fromarray((levels * 36).astype(np.uint8)))
    assert len(raised) > len(plain)
    assert psnr(raised, image, (0, 0, 64, 64)) > psnr(plain, image, (0, 0, 64, 64))
    assert abs(psnr(raised, image, (256, 0, 320, 64)) - psnr(plain, image, (256, 0, 320, 64))) < 0.1


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_tiles_crops_grey_and_alpha_go_with_a_map(mode: str) -> None:
    coder, image = Codec(MODEL, tile=256), picture("portrait", "RGB", (400, 400)).convert(mode)
    if mode == "RGBA":
        image.putalpha(image.getchannel("R"))
    data = coder.encode(image, 60, roi=mask((400, 400)))
    assert unpack(data).tiles
    assert unpack(data).roi
    whole = coder.decode(data)
    part = coder.decode(data, crop=(100, 120, 250, 90))
    assert (whole.mode, whole.size) == (image.mode, image.size)
    assert np.array_equal(np.asarray(part), np.asarray(whole.crop((100, 120, 350, 210))))
    if mode == "RGBA":
        assert whole.getchannel("A").tobytes() == image.getchannel("A").tobytes()


def test_a_release_that_does_not_know_the_box_refuses_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    data = codec().encode(picture("portrait", size=SIZE), 50, roi=mask())
    monkeypatch.setattr(boxes, "REQUIRED", tuple(box for box in boxes.REQUIRED if box != boxes.ROI))
    with pytest.raises(UnsupportedFeatureError, match="box 0x05"):
        codec().decode(data)


@pytest.mark.parametrize(("shade", "level"), [(0, 0), (18, 0), (19, 1), (128, 4), (146, 4), (255, 7)])
def test_a_shade_of_the_map_is_a_level(shade: int, level: int) -> None:
    assert (roi_of(Image.new("L", (2, 2), shade), (130, 65)).levels == level).all()


def test_a_level_is_the_mean_of_its_cell_and_a_cell_cut_by_the_edge_counts_what_is_there() -> None:
    image = Image.new("L", (96, 64), 0)
    image.paste(255, (32, 0, 96, 64))
    assert roi_of(image, image.size).levels.tolist() == [[4, 7]]


def test_a_tile_sees_the_cells_of_the_whole() -> None:
    layout = layout_of(620, 500, 256)
    roi = Roi(np.random.default_rng(0).integers(0, 8, (8, 10)).astype(np.uint8))
    whole = roi.step_divisor(layout.whole)
    assert whole.shape == (32, 39)
    for tile in layout.tiles():
        part = roi.step_divisor(tile)
        top, left = tile.top // 16, tile.left // 16
        assert np.array_equal(part, whole[top : top + part.shape[0], left : left + part.shape[1]])
    assert whole[5, 9] == 2 ** ((int(roi.levels[1, 2]) - NEUTRAL) / 4)


maps = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 7))


@given(maps)
def test_a_map_is_read_back_and_takes_three_bits_a_cell_at_most(levels: np.ndarray) -> None:
    box = Roi(levels).pack()
    height, width = levels.shape
    assert np.array_equal(unpack_roi(box, (64 * width, 64 * height)).levels, levels)
    assert len(box) <= 1 + 8 + 4 * -(-3 * levels.size // 32)


def test_a_blob_takes_less_than_half_a_bit_a_cell_beyond_the_coders_state() -> None:
    levels = np.zeros((64, 64), np.uint8)
    levels[20:40, 16:50] = 7
    assert 8 * (len(Roi(levels).pack()) - 9) < 0.5 * levels.size


@given(maps, st.data())
def test_a_broken_map_is_another_map_or_a_named_error(levels: np.ndarray, data: st.DataObject) -> None:
    box = bytearray(Roi(levels).pack())
    box[data.draw(st.integers(0, len(box) - 1))] ^= data.draw(st.integers(1, 255))
    size = (64 * levels.shape[1], 64 * levels.shape[0])
    try:
        found = unpack_roi(bytes(box), size)
    except BitstreamError:
        return
    assert not np.array_equal(found.levels, levels) or box[0] != Roi(levels).pack()[0]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda b: b"\x08" + b[1:], RegionMapError),
        (lambda b: b + bytes(4), RegionMapError),
        (lambda b: b + bytes(400), PayloadSizeError),
        (lambda b: b[:5], TruncatedError),
    ],
)
def test_a_map_that_no_writer_makes_is_refused(change: Callable[[bytes], bytes], error: type[BitstreamError]) -> None:
    box = Roi(np.arange(24, dtype=np.uint8).reshape(4, 6) % 8).pack()
    with pytest.raises(error):
        unpack_roi(change(box), (384, 256))
