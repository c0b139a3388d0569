"""The alpha channel comes back exactly, and hidden colour costs nothing."""

from __future__ import annotations

import io
import lzma
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from s2lic.errors import AlphaError
from s2lic.images.alpha import CONSTANT, LZMA, join, pack_alpha, split, unpack_alpha
from tests.frozen import codec, picture

RNG = np.random.default_rng(3)


def cut_out(mode: str = "RGBA") -> Image.Image:
    """The portrait in a soft oval; its corners are hidden."""
    image = picture("portrait", mode)
    oval = np.hypot(*np.mgrid[-1 : 1 : 1j * image.height, -1 : 1 : 1j * image.width]) < 0.7
    image.putalpha(Image.fromarray(np.where(oval, 255, 0).astype(np.uint8)).filter(ImageFilter.GaussianBlur(2)))
    return image


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5), st.data())
def test_any_channel_comes_back_exactly(width: int, height: int, levels: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, 255), min_size=levels, max_size=levels))
    samples = RNG.choice(np.array(values, np.uint8), (height, width))
    box = pack_alpha(Image.fromarray(samples))
    assert np.array_equal(np.asarray(unpack_alpha(box, (width, height))), samples)


def test_one_level_everywhere_takes_two_bytes() -> None:
    assert pack_alpha(Image.new("L", (2000, 1000), 255)) == bytes([CONSTANT, 255])


def test_a_soft_mask_takes_less_than_png() -> None:
    alpha, png = cut_out().getchannel("A"), io.BytesIO()
    alpha.save(png, "PNG", optimize=True)
    assert len(pack_alpha(alpha)) < 0.8 * len(png.getvalue())


def lzma_of(samples: bytes) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 22, "lc": 0, "lp": 0, "pb": 0}]
    return lzma.compress(samples, lzma.FORMAT_RAW, filters=filters)


def test_the_content_of_the_box_is_what_the_documentation_says() -> None:
    assert np.asarray(unpack_alpha(b"\x01" + lzma_of(bytes(range(12))), (4, 3))).ravel().tolist() == list(range(12))
    assert np.asarray(unpack_alpha(b"\x00\x80", (2, 2))).tolist() == [[128, 128], [128, 128]]


BROKEN = {
    "no such way": b"\x02\x00",
    "a level too many": b"\x00\x01\x02",
    "no level": b"\x00",
    "no data": bytes([LZMA]),
    "noise": bytes([LZMA]) + bytes(range(1, 99)),
    "too few samples": bytes([LZMA]) + lzma_of(bytes(11)),
    "too many samples": bytes([LZMA]) + lzma_of(bytes(13)),
    "a bomb": bytes([LZMA]) + lzma_of(bytes(10**7)),
    "cut off": bytes([LZMA]) + lzma_of(bytes(range(12)))[:-1],
    "bytes behind": bytes([LZMA]) + lzma_of(bytes(range(12))) + b"\0",
}


@pytest.mark.parametrize("box", BROKEN.values(), ids=BROKEN.keys())
def test_a_box_that_no_encoder_writes_is_an_alpha_error(box: bytes) -> None:
    with pytest.raises(AlphaError, match="alpha"):
        unpack_alpha(box, (4, 3))


MASK = bytes([LZMA]) + lzma_of(np.random.default_rng(4).integers(0, 4, 600, np.uint8).tobytes())


@given(st.data())
def test_a_mutated_box_gives_as_many_samples_or_is_refused_by_name(data: st.DataObject) -> None:
    box = bytearray(MASK)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(box) - 1))
        box[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    try:
        assert unpack_alpha(bytes(box), (30, 20)).size == (30, 20)
    except AlphaError:
        return


@pytest.mark.parametrize("corners", [(0, 0, 30, 20), (3, 4, 9, 11), (0, 19, 1, 20), (29, 0, 30, 1)])
def test_a_part_is_what_the_whole_has_there(corners: tuple[int, int, int, int]) -> None:
    for box in (MASK, bytes([CONSTANT, 9])):
        whole = unpack_alpha(box, (30, 20))
        assert unpack_alpha(box, (30, 20), corners).tobytes() == whole.crop(corners).tobytes()


def test_a_part_takes_only_what_leads_to_it() -> None:
    size, behind = (1000, 30_000), lzma_of(bytes(30_000_000))
    assert unpack_alpha(bytes([LZMA]) + behind[: len(behind) // 2], size, (0, 0, 1000, 3)).size == (1000, 3)
    tracemalloc.start()
    try:
        part = unpack_alpha(bytes([LZMA]) + behind, size, (5, 29_998, 9, 30_000))
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    assert part.tobytes() == bytes(8)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_picture_without_alpha_is_left_alone(mode: str) -> None:
    image = picture("shapes", mode)
    assert split(image) == (image, None)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_shows_is_untouched(mode: str) -> None:
    image = cut_out(mode)
    colour, alpha = split(image)
    assert alpha is not None
    shown = np.asarray(alpha) > 0
    assert np.array_equal(np.asarray(colour)[shown], np.asarray(image.convert(colour.mode))[shown])
    assert join(colour, alpha).mode == mode


def test_hidden_colour_changes_no_byte() -> None:
    image = cut_out()
    other = np.array(image)
    other[other[..., 3] == 0, :3] = RNG.integers(0, 256, (int((other[..., 3] == 0).sum()), 3))
    assert codec().encode(image, 50) == codec().encode(other, 50)


def test_hidden_colour_continues_what_shows() -> None:
    samples = np.zeros((64, 64, 4), np.uint8)
    samples[:, :20] = [200, 100, 50, 255]
    colour, _ = split(Image.fromarray(samples))
    assert abs(np.asarray(colour, int) - [200, 100, 50]).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (7, 5)], ids=str)
def test_a_picture_of_which_nothing_shows_is_coded(size: tuple[int, int]) -> None:
    decoded = codec().decode(codec().encode(Image.new("RGBA", size, (9, 9, 9, 0)), 50))
    assert decoded.getchannel("A").getextrema() == (0, 0)
