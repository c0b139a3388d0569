"""8-bit RGB to 10-bit YCbCr and back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from s2lic.eval.codecs.ycbcr import from_rgb, to_rgb


def nearest(value: Fraction) -> int:
    return int(value + Fraction(1, 2))


@pytest.mark.parametrize(
    ("rgb", "planes"),
    [
        ((0, 0, 0), (0, 512, 512)),
        ((255, 255, 255), (1023, 512, 512)),
        ((255, 0, 0), (217, 395, 1023)),
        ((0, 255, 0), (732, 118, 47)),
        ((0, 0, 255), (74, 1023, 465)),
    ],
    ids=["black", "white", "red", "green", "blue"],
)
def test_pure_colours_have_the_levels_of_the_standard(rgb: tuple[int, ...], planes: tuple[int, ...]) -> None:
    assert tuple(from_rgb(np.array([[rgb]], np.uint8)).ravel()) == planes


def test_every_value_is_rounded_to_the_nearest_in_exact_arithmetic() -> None:
    colours = np.random.default_rng(5).integers(0, 256, (1, 500, 3)).astype(np.uint8)
    planes = from_rgb(colours)[:, 0].T.tolist()
    for (r, g, b), found in zip(colours[0].tolist(), planes, strict=True):
        luma = Fraction(2126 * r + 7152 * g + 722 * b, 10000 * 255)
        cb = (Fraction(b, 255) - luma) / Fraction(18556, 10000)
        cr = (Fraction(r, 255) - luma) / Fraction(15748, 10000)
        assert found == [min(1023, nearest(1023 * v + offset)) for v, offset in ((luma, 0), (cb, 512), (cr, 512))]


def test_ten_bits_lose_no_colour_of_eight() -> None:
    """Half a step of 1/1023 in Y and Cb moves blue by at most (1 + 1.8556) / 2 / 1023 of 255, which is under a half."""
    levels = np.unique(np.r_[0:256:5, 255, 1, 2, 254])
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3).astype(np.uint8)
    assert np.array_equal(to_rgb(from_rgb(colours)), colours)


def test_levels_that_no_colour_has_are_clipped() -> None:
    assert to_rgb(np.array([1023, 1023, 1023], np.uint16).reshape(3, 1, 1)).tolist() == [[[255, 172, 255]]]
