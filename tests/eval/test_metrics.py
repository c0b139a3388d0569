"""PSNR and MS-SSIM on 8-bit RGB."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from PIL import Image

from s2lic.errors import ExtraMissingError
from s2lic.eval.metrics import decibels, ms_ssim, psnr, ssimulacra2


def noise(height: int, width: int) -> Image.Image:
    pixels = np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_psnr_is_the_formula() -> None:
    black, grey = Image.new("RGB", (4, 4)), Image.new("RGB", (4, 4), (3, 0, 6))
    assert psnr(black, grey) == pytest.approx(10 * math.log10(255**2 / 15))


def test_psnr_of_equal_pictures_is_infinite() -> None:
    assert psnr(noise(3, 5), noise(3, 5)) == math.inf


def test_a_grey_picture_is_measured_as_rgb() -> None:
    assert psnr(Image.new("L", (4, 4), 7), Image.new("RGB", (4, 4), (7, 7, 7))) == math.inf


def test_ms_ssim_of_equal_pictures_is_one() -> None:
    assert ms_ssim(noise(161, 170), noise(161, 170)) == pytest.approx(1)


def test_ms_ssim_falls_with_distance() -> None:
    picture = noise(170, 170)
    near, far = (ms_ssim(picture, picture.resize((side, side)).resize((170, 170))) for side in (150, 60))
    assert near is not None
    assert far is not None
    assert 1 > near > far > 0


def test_ms_ssim_is_not_defined_for_a_side_below_161_pixels() -> None:
    assert ms_ssim(noise(160, 400), noise(160, 400)) is None


def test_ms_ssim_names_the_package_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_msssim", None)
    with pytest.raises(ExtraMissingError, match=r"pip install 's2lic\[torch\]'"):
        ms_ssim(noise(161, 161), noise(161, 161))


def test_decibels_stretch_the_scale_towards_one() -> None:
    assert decibels(0.99) == pytest.approx(20)
    assert decibels(1.0) == math.inf


def test_ssimulacra2_is_100_for_equal_pictures_and_falls_with_noise() -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(96, 160, (240, 250, 3), dtype=np.uint8))
    noisy = Image.fromarray((np.asarray(image) + rng.integers(-9, 10, (240, 250, 3))).astype(np.uint8))
    assert ssimulacra2(image, image) == pytest.approx(100, abs=0.3)
    found = ssimulacra2(image, noisy)
    assert found is not None
    assert found < 95


def test_ssimulacra2_is_not_defined_for_small_pictures() -> None:
    assert ssimulacra2(*[Image.new("RGB", (224, 400))] * 2) is None
