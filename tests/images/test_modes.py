"""Every mode of Pillow becomes one of the four that are coded, or is refused with the reason."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from s2lic.errors import UnsupportedModeError
from s2lic.images.modes import CODED, coded_form
from tests.files import PROFILE, png_of_16_bits, tiff_of_16_bits
from tests.frozen import picture

RNG = np.random.default_rng(5)
RGB = picture("shapes", size=(9, 7))
DEEP = RNG.integers(0, 65536, (7, 9)).astype(np.uint16)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("mode", CODED)
def test_a_mode_that_is_coded_stays_the_same_image(mode: str) -> None:
    image = RGB.convert(mode)
    assert coded_form(image) == (image, ())


@pytest.mark.parametrize(
    ("mode", "becomes", "lossy"),
    [
        ("1", "L", False),
        ("P", "RGB", False),
        ("PA", "RGBA", False),
        ("La", "LA", False),
        ("RGBa", "RGBA", False),
        ("RGBX", "RGB", False),
        ("CMYK", "RGB", True),
        ("YCbCr", "RGB", True),
        ("HSV", "RGB", True),
        ("LAB", "RGB", True),
        ("I", "L", True),
        ("F", "L", True),
        ("I;16", "L", True),
    ],
)
def test_every_other_mode_becomes_one_and_says_so(mode: str, becomes: str, lossy: bool) -> None:
    source = RGB.convert({"La": "LA", "RGBa": "RGBA", "I;16": "I"}.get(mode, mode)).convert(mode)
    coded, (note,) = coded_form(source)
    assert (coded.mode, coded.size, note.lossy) == (becomes, source.size, lossy)
    assert note.text


def test_all_modes_of_pillow_are_known() -> None:
    for mode in Image.MODES:
        assert coded_form(Image.new(mode, (2, 2)))[0].mode in CODED


@pytest.mark.parametrize("mode", ["1", "P"])
def test_what_has_8_bits_or_fewer_keeps_every_level(mode: str) -> None:
    image = RGB.convert(mode)
    coded, _ = coded_form(image)
    assert np.array_equal(np.asarray(coded), np.asarray(image.convert(coded.mode)))


@pytest.mark.parametrize("transparent", [3, bytes(range(0, 256, 4))], ids=["one entry", "an alpha for each"])
def test_a_palette_with_transparent_entries_becomes_alpha(transparent: int | bytes) -> None:
    image = RGB.quantize(64)
    image.info["transparency"] = transparent
    coded, (note,) = coded_form(image)
    entries = np.asarray(image)
    alphas = np.where(np.arange(64) == 3, 0, 255) if isinstance(transparent, int) else np.arange(0, 256, 4)
    assert np.array_equal(np.asarray(coded.getchannel("A")), alphas[entries])
    assert not note.lossy


@pytest.mark.parametrize(("mode", "becomes"), [("L", "LA"), ("RGB", "RGBA"), ("1", "LA")])
def test_one_transparent_colour_becomes_alpha(mode: str, becomes: str) -> None:
    image = RGB.convert(mode)
    image.info["transparency"] = image.getpixel((4, 3))
    coded, _ = coded_form(image)
    same = np.asarray(image) == np.asarray(image)[3, 4]
    assert coded.mode == becomes
    hidden = same if same.ndim == 2 else same.all(-1)
    assert np.array_equal(np.asarray(coded.getchannel("A")), np.where(hidden, 0, 255))


def test_grey_of_16_bits_is_rounded_to_the_nearest_of_256_levels() -> None:
    for image in (opened(png_of_16_bits(DEEP)), Image.fromarray(DEEP), Image.fromarray(DEEP.astype(np.int32))):
        coded, (note,) = coded_form(image)
        assert np.array_equal(np.asarray(coded), np.rint(DEEP / 257).astype(np.uint8))
        assert note.lossy


def test_a_transparent_level_of_16_bits_is_told_from_its_neighbours() -> None:
    samples = np.array([[1000, 1001, 1002]], np.uint16)
    coded, (note,) = coded_form(opened(png_of_16_bits(samples, (1001,))))
    assert np.asarray(coded).tolist() == [[[4, 255], [4, 0], [4, 255]]]
    assert note.lossy


@pytest.mark.parametrize("channels", [3, 4])
def test_colour_of_16_bits_is_cut_with_a_note(channels: int) -> None:
    samples = RNG.integers(0, 65536, (7, 9, channels)).astype(np.uint16)
    files = [png_of_16_bits(samples)] + ([tiff_of_16_bits(samples)] if channels == 3 else [])
    for data in files:
        coded, (note,) = coded_form(opened(data))
        assert abs(np.asarray(coded, float) - samples / 257).max() < 1
        assert note.lossy


def test_ppm_of_16_bits_is_cut_with_a_note() -> None:
    coded, (note,) = coded_form(opened(b"P6 1 1 65535\n" + bytes([255, 255, 0, 0, 128, 0])))
    assert coded.getpixel((0, 0)) == (255, 0, 128)
    assert note.lossy
    assert coded_form(opened(b"P6 1 1 255\n" + bytes(3)))[1] == ()


def test_one_transparent_colour_of_16_bits_is_refused() -> None:
    with pytest.raises(UnsupportedModeError, match="alpha channel"):
        coded_form(opened(png_of_16_bits(RNG.integers(0, 65536, (2, 2, 3)).astype(np.uint16), (1, 2, 3))))


@pytest.mark.parametrize("values", [[-1, 0], [0, 65536]], ids=str)
def test_whole_numbers_beyond_16_bits_are_refused_with_the_mend(values: list[int]) -> None:
    with pytest.raises(UnsupportedModeError, match=r"scale them to 0\.\.65535"):
        coded_form(Image.fromarray(np.array([values], np.int32)))


@pytest.mark.parametrize(
    ("values", "levels"),
    [([0, 0.5, 1], [0, 128, 255]), ([0, 1.4, 254.6], [0, 1, 255])],
    ids=["up to 1", "up to 255"],
)
def test_floating_point_is_taken_for_0_to_1_or_0_to_255(values: list[float], levels: list[int]) -> None:
    coded, (note,) = coded_form(Image.fromarray(np.array([values], np.float32)))
    assert np.asarray(coded).tolist() == [levels]
    assert note.lossy


@pytest.mark.parametrize("value", [-0.1, 255.5, np.nan, np.inf])
def test_other_floating_point_is_refused(value: float) -> None:
    with pytest.raises(UnsupportedModeError, match="scale"):
        coded_form(Image.fromarray(np.array([[0.5, value]], np.float32)))


def test_cmyk_with_a_profile_is_converted_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def convert(image: Image.Image, source: ImageCms.ImageCmsProfile, *rest: object, **options: object) -> Image.Image:
        asked.append((source.tobytes(), options["outputMode"]))
        return image.convert("RGB")

    monkeypatch.setattr(ImageCms, "profileToProfile", convert)
    image = RGB.convert("CMYK")
    image.info["icc_profile"] = PROFILE
    coded, (note,) = coded_form(image)
    assert asked == [(PROFILE, "RGB")]
    assert "by its profile" in note.text
    assert coded.mode == "RGB"


@pytest.mark.parametrize("profile", [PROFILE, b"no profile"], ids=["of another colour space", "broken"])
def test_cmyk_with_a_profile_that_does_not_fit_is_converted_without_it_and_says_so(profile: bytes) -> None:
    image = RGB.convert("CMYK")
    image.info["icc_profile"] = profile
    coded, (note,) = coded_form(image)
    assert np.array_equal(np.asarray(coded), np.asarray(image.convert("RGB")))
    assert "cannot be used" in note.text
