"""Pictures in and out: what is coded comes through whole, the rest is refused by name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic import errors
from s2lic.images import FORMATS, as_image, encode_image, format_of, open_image

GRADIENT = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
RGB = Image.fromarray(GRADIENT)
GREY = Image.fromarray(GRADIENT[..., 0])


def png(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **options)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.parametrize("image", [RGB, GREY], ids=["RGB", "L"])
@pytest.mark.parametrize("kind", ["path", "str", "bytes", "file"])
def test_a_picture_opens_from_a_path_bytes_or_a_file(tmp_path: Path, image: Image.Image, kind: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(image))
    sources = {
        "path": path,
        "str": str(path),
        "bytes": path.read_bytes(),
        "file": io.BytesIO(path.read_bytes()),
    }
    opened = open_image(sources[kind])
    assert opened.mode == image.mode
    assert np.array_equal(np.asarray(opened), np.asarray(image))


def test_a_photograph_taken_sideways_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_image(png(RGB, exif=exif)).size == (5, 7)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(errors.InputMissingError, match=r"absent\.png"):
        open_image("absent.png")


@pytest.mark.parametrize(
    "data",
    [b"", b"no picture at all", png(RGB)[:20], png(RGB)[:50], png(RGB)[:40] + bytes(60)],
    ids=["empty", "text", "cut early", "cut late", "damaged"],
)
def test_what_pillow_cannot_read_is_not_an_image(data: bytes) -> None:
    with pytest.raises(errors.NotAnImageError):
        open_image(data)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "I;16", "YCbCr"])
def test_other_modes_are_refused_with_the_mend(mode: str) -> None:
    with pytest.raises(errors.UnsupportedModeError, match=r"convert\('RGB'\)"):
        as_image(Image.new(mode, (4, 4)))


def test_a_transparent_colour_is_refused_not_dropped() -> None:
    with pytest.raises(errors.UnsupportedModeError, match="flatten"):
        open_image(png(RGB, transparency=(0, 0, 0)))


def test_more_pixels_than_the_limit_are_refused_and_the_limit_can_be_raised() -> None:
    with pytest.raises(errors.ImageSizeError, match="max_pixels"):
        open_image(png(RGB), max_pixels=34)
    assert open_image(png(RGB), max_pixels=35).size == (7, 5)


def test_a_picture_of_no_pixels_is_refused() -> None:
    with pytest.raises(errors.ImageSizeError):
        as_image(Image.new("RGB", (0, 4)))


def test_our_limit_speaks_before_the_warning_of_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    assert open_image(png(RGB)).size == (7, 5)


def test_what_pillow_will_not_open_is_an_error_of_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(errors.ImageSizeError, match="Pillow"):
        open_image(png(RGB))


@pytest.mark.parametrize("image", [RGB, GREY], ids=["RGB", "L"])
def test_an_array_is_a_picture(image: Image.Image) -> None:
    taken = as_image(np.asarray(image))
    assert taken.mode == image.mode
    assert taken.tobytes() == image.tobytes()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint16),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((3, 4, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
    ids=["float", "16 bits", "alpha", "batch", "line"],
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(errors.UnsupportedModeError, match="uint8"):
        as_image(array)


def test_an_empty_array_is_refused() -> None:
    with pytest.raises(errors.ImageSizeError):
        as_image(np.zeros((0, 4, 3), np.uint8))


@pytest.mark.parametrize("extension", [e for e in FORMATS if e not in (".jpg", ".jpeg", ".pgm")])
def test_saving_loses_nothing_where_the_format_can(extension: str) -> None:
    saved = encode_image(RGB, extension)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(saved))), GRADIENT)


def test_the_extension_may_be_in_capitals() -> None:
    assert format_of("A.PNG") == ".png"


@pytest.mark.parametrize("name", ["a.xyz", "a", ".png"])
def test_an_unknown_extension_lists_the_known(name: str) -> None:
    with pytest.raises(errors.OutputFormatError, match=r"\.png, .*\.webp"):
        format_of(name)


def test_a_picture_too_large_for_a_format_is_told() -> None:
    with pytest.raises(errors.OutputFormatError, match="WEBP"):
        encode_image(Image.new("L", (16400, 1)), ".webp")
