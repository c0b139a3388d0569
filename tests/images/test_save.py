"""Decoded pictures in every format: what a format can hold arrives whole, and nothing is lost in silence."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from s2lic import errors
from s2lic.eval.metrics import psnr
from s2lic.images.metadata import metadata_of, with_metadata
from s2lic.images.names import OPTIONAL
from s2lic.images.openers import open_picture
from s2lic.images.profile import SRGB, fitted, made, space_of
from s2lic.images.save import FORMATS, check_alpha, colour_of, encode_image, format_of, left_out
from tests.files import ORIENTATION, PROFILE, XMP, exif
from tests.frozen import picture

RGB = picture("portrait", size=(21, 15))
BLOCK = exif({0x0128: (3, 2)})
METADATA = {"icc_profile": PROFILE, "exif": BLOCK, "xmp": XMP}
LOSSY = (".jpg", ".jpeg", ".avif", ".heic", ".heif")
KEEPING = [extension for extension, row in FORMATS.items() if row.metadata and extension != ".jxl"]


def with_alpha(mode: str) -> Image.Image:
    image = RGB.convert(mode)
    image.putalpha(picture("shapes", "L", RGB.size))
    return image


def back(image: Image.Image, extension: str, background: str | None = None) -> Image.Image:
    data = encode_image(image, extension, background)
    opened = open_picture(data) if extension in OPTIONAL else Image.open(io.BytesIO(data))
    opened.load()
    return opened


@pytest.mark.parametrize("extension", [e for e in FORMATS if e not in (*LOSSY, ".pgm")])
def test_saving_loses_nothing_where_the_format_can(extension: str) -> None:
    assert np.array_equal(np.asarray(back(RGB, extension)), np.asarray(RGB))


@pytest.mark.parametrize("extension", LOSSY)
def test_saving_loses_little_elsewhere(extension: str) -> None:
    assert psnr(back(RGB, extension), RGB) > 40


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("extension", [e for e in FORMATS if FORMATS[e].alpha])
def test_alpha_arrives_exactly(extension: str, mode: str) -> None:
    image = with_alpha(mode)
    opened = back(image, extension)
    assert np.array_equal(np.asarray(opened.convert("RGBA"))[..., 3], np.asarray(image.getchannel("A")))


@pytest.mark.parametrize("extension", [e for e in FORMATS if not FORMATS[e].alpha])
def test_alpha_is_not_dropped_where_the_format_has_none(extension: str) -> None:
    with pytest.raises(errors.BackgroundMissingError, match="--background"):
        encode_image(with_alpha("RGBA"), extension)
    assert back(with_alpha("RGBA"), extension, "white").size == RGB.size


def test_on_a_background_the_picture_is_what_a_viewer_shows_there() -> None:
    image = with_alpha("RGBA")
    samples = np.asarray(image, float)
    share = samples[..., 3:] / 255
    expected = share * samples[..., :3] + (1 - share) * np.array([255, 228, 196])
    assert abs(np.asarray(back(image, ".png", "#ffe4c4")) - expected).max() <= 1
    assert back(image, ".png", "#ffe4c4").mode == "RGB"


@pytest.mark.parametrize(("background", "mode"), [("white", "L"), ("red", "RGB")])
def test_grey_stays_grey_on_grey(background: str, mode: str) -> None:
    assert back(with_alpha("LA"), ".png", background).mode == mode


def test_a_background_is_no_matter_without_alpha() -> None:
    assert encode_image(RGB, ".png", "red") == encode_image(RGB, ".png")


@pytest.mark.parametrize("name", ["reddish", "#12", "", "#ff000080"])
def test_a_background_that_is_no_opaque_colour_is_refused(name: str) -> None:
    with pytest.raises(errors.UnknownColourError, match="#ffe4c4"):
        check_alpha(".png", name)
    with pytest.raises(errors.UnknownColourError):
        encode_image(with_alpha("LA"), ".png", name)


def test_colours_go_by_name_or_number() -> None:
    assert colour_of("white") == (255, 255, 255)
    assert colour_of("#ffe4c4") == (255, 228, 196)


@pytest.mark.parametrize("extension", KEEPING)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_metadata_arrive_byte_for_byte(extension: str, mode: str) -> None:
    found = metadata_of(back(with_metadata(RGB.convert(mode), METADATA), extension))
    if extension in (".tif", ".tiff"):  # which has no place for a block: its tags are the Exif
        found["exif"] = BLOCK
    fits = mode == "RGB" or not FORMATS[extension].grey  # where grey becomes colour
    assert found == {**METADATA, "icc_profile": PROFILE if fits else fitted(PROFILE, "L")}


@pytest.mark.parametrize("number", [1, 3, 6, 7])
def test_an_avif_keeps_the_bytes_of_an_exif_that_turns_it(number: int) -> None:
    block = exif({ORIENTATION: (3, number)})
    opened = back(with_metadata(RGB.copy(), {"exif": block}), ".avif")
    assert metadata_of(opened) == {"exif": block}
    assert opened.getexif()[ORIENTATION] == number


@pytest.mark.parametrize("extension", KEEPING)
def test_a_picture_without_metadata_gets_none(extension: str) -> None:
    assert metadata_of(back(RGB, extension)) == {}


@pytest.mark.parametrize("extension", KEEPING)
def test_what_exif_says_arrives_and_the_orientation_with_it(extension: str) -> None:
    tags = Image.Exif()
    tags[ExifTags.Base.Make], tags[ORIENTATION] = "maker", 6
    image = with_metadata(RGB.copy(), {"exif": tags.tobytes()[6:]})
    opened = back(image, extension)
    assert opened.getexif()[ExifTags.Base.Make] == "maker"
    # Pillow turns a TIFF itself as it opens it.
    assert (opened.size, opened.getexif().get(ORIENTATION, 1)) in [((21, 15), 6), ((15, 21), 1)]


@pytest.mark.parametrize("extension", [".bmp", ".ppm"])
def test_a_format_without_exif_gets_the_picture_upright_and_says_what_it_leaves_out(extension: str) -> None:
    image = with_metadata(RGB.copy(), {"exif": exif({ORIENTATION: (3, 6)}), "xmp": XMP})
    assert np.array_equal(np.asarray(back(image, extension)), np.asarray(RGB.transpose(Image.Transpose.ROTATE_270)))
    assert left_out(image, extension) == ["exif", "xmp"]
    assert left_out(image, ".png") == []


@pytest.mark.parametrize("extension", [e for e in FORMATS if e != ".jxl"])  # whose plugin reads a profile of its own
@pytest.mark.parametrize("mode", ["L", "LA"])
@pytest.mark.parametrize("curve", [True, False])
def test_the_profile_of_grey_is_one_for_the_pixels_that_are_written(extension: str, mode: str, curve: bool) -> None:
    profile = made("grey", SRGB, 1.8, grey=True) if curve else PROFILE[:16] + b"GRAY" + PROFILE[20:]
    image = with_metadata(RGB.convert(mode), {"icc_profile": profile})
    for background in ("white", "red"):
        opened = back(image, extension, background)
        kept = opened.info.get("icc_profile")
        assert kept is None or space_of(kept) == (b"GRAY" if opened.mode == "L" else b"RGB ")
        assert (kept is not None) == (FORMATS[extension].metadata is not None and (curve or opened.mode == "L"))
    if extension in (".avif", ".webp"):
        assert left_out(image, extension) == ([] if curve else ["icc_profile"])


def test_the_extension_may_be_in_capitals() -> None:
    assert format_of("A.PNG") == ".png"


@pytest.mark.parametrize("name", ["a.xyz", "a", ".png"])
def test_an_unknown_extension_lists_the_known(name: str) -> None:
    with pytest.raises(errors.OutputFormatError, match=r"\.png, .*\.webp"):
        format_of(name)


def test_a_picture_too_large_for_a_format_is_told() -> None:
    with pytest.raises(errors.OutputFormatError, match="WEBP"):
        encode_image(Image.new("L", (16400, 1)), ".webp")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's own, as it opens what was saved
@pytest.mark.parametrize("block", [b"nonsense", b"II*\0\xff\xff\xff\xff", b"MM\0*", b"II+\0" + bytes(12)], ids=str)
@pytest.mark.parametrize("extension", FORMATS)
def test_exif_that_makes_no_sense_is_carried_or_told(extension: str, block: bytes) -> None:
    image = with_metadata(RGB.copy(), {"exif": block})
    try:
        opened = back(image, extension)
    except errors.OutputFormatError as error:
        assert "--strip" in str(error)  # noqa: PT017 which of both it is, is up to Pillow
    else:
        assert metadata_of(opened).get("exif") in (None, block)


@pytest.mark.parametrize("name", ["exif", "xmp"])
def test_metadata_too_large_for_a_format_are_left_out_and_told(name: str) -> None:
    image = with_metadata(RGB.copy(), {name: exif(maker=bytes(70_000))})
    assert left_out(image, ".jpg") == [name]
    assert metadata_of(back(image, ".jpg")) == {}
    assert left_out(image, ".png") == []
    assert len(metadata_of(back(image, ".png"))[name]) > 70_000


def test_a_jpeg_xl_keeps_exif_and_xmp_and_says_that_it_has_no_profile() -> None:
    image = with_metadata(RGB.copy(), METADATA)
    data = encode_image(image, ".jxl")
    assert metadata_of(open_picture(data))["exif"] == BLOCK
    assert XMP in data  # which its plugin writes and does not read
    assert left_out(image, ".jxl") == ["icc_profile"]


@pytest.mark.parametrize("extension", [".heic", ".jxl"])
def test_the_quality_sets_the_size(extension: str) -> None:
    low, high = (encode_image(picture("portrait"), extension, quality=quality) for quality in (20, 90))
    assert len(low) < len(high) / 2
    assert psnr(open_picture(low), picture("portrait")) > 24


def test_a_format_that_is_always_lossless_takes_no_quality() -> None:
    with pytest.raises(errors.OutputFormatError, match=r"JPEG2000 takes no quality; .*\.heic, .*\.jxl"):
        encode_image(RGB, ".jp2", quality=50)


@pytest.mark.parametrize(("extension", "extra"), [(".heic", "heif"), (".heif", "heif"), (".jxl", "jxl")])
def test_without_its_plugin_a_format_names_the_extra(
    extension: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2lic.images.save.is_installed", lambda suffix: False)
    with pytest.raises(errors.ExtraMissingError, match=rf"{extension} needs .*pip install 's2lic\[{extra}\]'"):
        format_of(f"a{extension}")
    with pytest.raises(errors.ExtraMissingError):
        encode_image(RGB, extension)


def test_a_pillow_without_jpeg_2000_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2lic.images.save.features.check", lambda name: False)
    with pytest.raises(errors.ExtraMissingError, match="built without JPEG 2000"):
        format_of("a.jp2")
