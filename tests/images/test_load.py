"""Pictures in: files, bytes, arrays and images become what the codec codes, and the rest is refused by name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic import errors
from s2lic.images.load import as_image, open_image, read_image
from tests.files import PROFILE

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


def animation() -> bytes:
    buffer = io.BytesIO()
    RGB.save(buffer, "PNG", save_all=True, append_images=[RGB.rotate(90), RGB.rotate(180)])
    return buffer.getvalue()


def test_of_several_pictures_the_first_is_taken_and_that_is_said() -> None:
    picture = read_image(animation())
    assert np.array_equal(np.asarray(picture.image), GRADIENT)
    assert [note.text for note in picture.notes] == ["only the first of 3 images is used"]
    assert picture.notes[0].lossy


def test_a_loss_is_a_warning_and_with_strict_a_refusal() -> None:
    with pytest.warns(errors.ConversionWarning, match="first of 3"):
        open_image(animation())
    with pytest.warns(errors.ConversionWarning, match="first of 3"):
        as_image(animation())
    with pytest.raises(errors.LossyConversionError, match="first of 3"):
        read_image(animation(), strict=True)
    with pytest.raises(errors.LossyConversionError, match="first of 3"):
        as_image(animation(), strict=True)


@pytest.mark.parametrize("mode", ["1", "P", "PA", "LA", "RGBA"])
def test_a_change_without_loss_is_neither(mode: str) -> None:
    assert as_image(RGB.convert(mode), strict=True).mode in ("RGB", "RGBA", "L", "LA")


def test_metadata_are_left_out_on_request() -> None:
    data = png(RGB, icc_profile=PROFILE)
    assert read_image(data).image.info == {"icc_profile": PROFILE}
    assert read_image(data, strip=True).image.info == {}


def test_a_pillow_image_is_taken_as_it_stands() -> None:
    image = GREY.copy()
    image.info["exif"] = b"whatever"
    assert as_image(image) is image
    assert image.info == {"exif": b"whatever"}


def test_a_pillow_image_of_a_file_that_is_cut_off_is_no_image() -> None:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "JPEG")
    image = Image.open(io.BytesIO(buffer.getvalue()[:1000]))
    with pytest.raises(errors.NotAnImageError, match="truncated"):
        as_image(image)


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
    with pytest.raises(errors.ImageSizeError, match=r"Pillow.* in Python PIL\.Image\.MAX_IMAGE_PIXELS too"):
        open_image(png(RGB))


@pytest.mark.parametrize("image", [RGB, GREY], ids=["RGB", "L"])
def test_an_array_is_a_picture(image: Image.Image) -> None:
    taken = as_image(np.asarray(image))
    assert taken.mode == image.mode
    assert taken.tobytes() == image.tobytes()


@pytest.mark.parametrize(("channels", "mode"), [(2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_the_last_of_two_or_four_channels_is_alpha(channels: int, mode: str) -> None:
    array = np.arange(5 * 7 * channels, dtype=np.uint8).reshape(5, 7, channels)
    taken = as_image(array)
    assert taken.mode == mode
    assert np.array_equal(np.asarray(taken), array)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 2), (4, 5, 3), (4, 5, 4)], ids=str)
@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_an_array_of_16_bits_is_rounded_to_8_with_a_warning(shape: tuple[int, ...], order: str) -> None:
    array = np.random.default_rng(1).integers(0, 65536, shape).astype(order)
    with pytest.warns(errors.ConversionWarning, match="16-bit"):
        taken = as_image(array)
    assert np.array_equal(np.asarray(taken), np.rint(array / 257).astype(np.uint8))


@pytest.mark.parametrize(
    "array",
    [
        np.full((4, 4, 3), 1.5, np.float32),
        np.zeros((4, 4), np.int16),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((3, 4, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
    ids=["float", "signed", "five channels", "batch", "line"],
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(errors.UnsupportedModeError, match="uint8"):
        as_image(array)


def test_an_empty_array_is_refused() -> None:
    with pytest.raises(errors.ImageSizeError):
        as_image(np.zeros((0, 4, 3), np.uint8))
