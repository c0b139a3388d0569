"""Profiles that fit their pixels, checked by what Little CMS makes of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from s2lic.images.profile import CICP_PRIMARIES, D65, SRGB, fitted, is_srgb, made, space_of
from tests.files import PROFILE

RAMP = np.arange(256, dtype=np.uint8)
DARK = 24  # below it Little CMS joins points of a grey curve by straight lines
WIDE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65)


def srgb_of(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """The level that sRGB has for an amount of light."""
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def seen(image: Image.Image, profile: bytes) -> NDArray[np.float64]:
    """The picture in sRGB, by its profile."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    shown = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert shown is not None
    return np.asarray(shown, float)


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
@pytest.mark.parametrize("grey", [True, False])
def test_a_made_profile_has_the_curve_that_was_asked_for(gamma: float, grey: bool) -> None:
    profile = made("test", SRGB, gamma, grey)
    ramp = Image.fromarray(RAMP[None]) if grey else Image.fromarray(np.repeat(RAMP[None, :, None], 3, 2))
    assert space_of(profile) == (b"GRAY" if grey else b"RGB ")
    off = abs(seen(ramp, profile)[0] - srgb_of((RAMP / 255) ** gamma)[:, None])
    assert off[DARK:].max() <= 1.5


def test_srgb_made_anew_is_srgb() -> None:
    colours = np.random.default_rng(3).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    assert abs(seen(Image.fromarray(colours), made("test", SRGB, None, grey=False)) - colours).max() <= 1


def test_a_wider_green_is_a_green_beyond_srgb() -> None:
    """Half of Adobe RGB's green, by the matrices of IEC 61966-2-1 and Adobe RGB (1998) under D65."""
    adobe = np.array([[0.5767, 0.1856, 0.1882], [0.2974, 0.6273, 0.0753], [0.0270, 0.0707, 0.9911]])
    to_srgb = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
    colour = np.array([150, 180, 140])
    expected = srgb_of(to_srgb @ adobe @ (colour / 255) ** 2.2)
    shown = seen(Image.fromarray(colour.astype(np.uint8)[None, None]), made("test", WIDE, 2.2, grey=False))
    assert abs(shown[0, 0] - expected).max() <= 2


@pytest.mark.parametrize("number", CICP_PRIMARIES)
def test_white_stays_white_whatever_the_primaries(number: int) -> None:
    white = Image.new("RGB", (1, 1), "white")
    assert seen(white, made("test", CICP_PRIMARIES[number], None, grey=False)).min() >= 254


def test_a_profile_that_fits_stays_as_it_is() -> None:
    assert fitted(PROFILE, "RGB") == PROFILE
    assert fitted(PROFILE, "RGBA") == PROFILE
    assert fitted(PROFILE, "P") == PROFILE


@pytest.mark.parametrize("profile", [PROFILE, made("test", SRGB, 1.8, grey=False)], ids=["sRGB", "1.8"])
def test_a_profile_of_colour_becomes_one_of_grey_with_its_curve(profile: bytes) -> None:
    grey = fitted(profile, "L")
    assert grey is not None
    assert space_of(grey) == b"GRAY"
    colour = seen(Image.fromarray(np.repeat(RAMP[None, :, None], 3, 2)), profile)
    assert abs(seen(Image.fromarray(RAMP[None]), grey) - colour).max() <= 1


@pytest.mark.parametrize("gamma", [1.0, 1.8, None])
def test_a_profile_of_grey_becomes_one_of_colour_with_its_curve(gamma: float | None) -> None:
    profile = made("test", SRGB, gamma, grey=True)
    colour = fitted(profile, "RGB")
    assert colour is not None
    assert space_of(colour) == b"RGB "
    ramp = Image.fromarray(np.repeat(RAMP[None, :, None], 3, 2))
    off = abs(seen(ramp, colour) - seen(Image.fromarray(RAMP[None]), profile))
    assert off[0, DARK:].max() <= 1


def renamed(space: bytes) -> bytes:
    return PROFILE[:16] + space + PROFILE[20:]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
@pytest.mark.parametrize(
    "profile",
    [renamed(b"CMYK"), renamed(b"Lab "), b"", b"profile", bytes(200), PROFILE[:131]],
    ids=["CMYK", "Lab", "empty", "word", "zeros", "cut"],
)
def test_a_profile_of_other_pixels_fits_none_of_ours(profile: bytes, mode: str) -> None:
    assert fitted(profile, mode) is None


def test_grey_without_a_curve_and_colour_with_three_have_no_counterpart() -> None:
    assert fitted(renamed(b"GRAY"), "RGB") is None
    uneven = made("test", SRGB, 2.2, grey=False)
    at = uneven.index(b"bTRC")
    assert fitted(uneven[:at] + b"xTRC" + uneven[at + 4 :], "L") is None


@pytest.mark.parametrize(
    ("primaries", "gamma"),
    [
        (((0.3, 0.3), (0.3, 0.3), (0.15, 0.06), D65), None),
        (((0.3, 0.0), (0.3, 0.6), (0.15, 0.06), D65), None),
        (SRGB, 0.0),
        (SRGB, float("nan")),
    ],
    ids=["on a line", "no light", "no power", "not a number"],
)
def test_colours_that_make_no_sense_make_no_profile(primaries: tuple, gamma: float | None) -> None:
    with pytest.raises(ValueError, match=r"line|chromaticity|gamma"):
        made("test", primaries, gamma, grey=False)


def test_srgb_is_known_in_other_words() -> None:
    assert is_srgb(SRGB, None)
    assert is_srgb(SRGB, 1 / 0.45455)
    assert not is_srgb(SRGB, 1.8)
    assert not is_srgb(WIDE, 2.2)
