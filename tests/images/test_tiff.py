"""TIFF files that share the directories of an Exif block, as Pillow and libtiff read them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from s2lic.images import tiff
from s2lic.images.metadata import metadata_of, with_metadata
from s2lic.images.save import encode_image, left_out
from s2lic.images.tiff import encode_tiff, shared_entries
from tests.files import PROFILE, XMP, exif
from tests.frozen import picture

RGB = picture("portrait", size=(37, 23))
TAKEN, LATITUDE = "2024:01:02 03:04:05", (52.0, 30.0, 15.5)


def camera_block(order: str = "<") -> bytes:
    """Exif with directories of the camera, of GPS and of interoperability, and a note of the maker."""
    tags = Image.Exif()
    tags.endian = order
    tags[ExifTags.Base.Make], tags[0x0103] = "maker", 6
    tags[ExifTags.IFD.Exif] = {
        ExifTags.Base.DateTimeOriginal: TAKEN,
        ExifTags.Base.MakerNote: b"note" * 9,
        ExifTags.IFD.Interop: {1: "R98"},
    }
    tags[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitude: LATITUDE, ExifTags.GPS.GPSLatitudeRef: "N"}
    return tags.tobytes()[6:]


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("strip", [1, 500, 1 << 18])
def test_every_pixel_arrives(mode: str, order: str, strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "STRIP_BYTES", strip)
    image = RGB.convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(picture("shapes", "L", RGB.size))
    found = opened(encode_tiff(image, {"exif": camera_block(order)}))
    assert found.mode == mode
    assert np.array_equal(np.asarray(found), np.asarray(image))


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_directories_of_a_camera_arrive(order: str) -> None:
    found = opened(encode_tiff(RGB, {"exif": camera_block(order)})).getexif()
    own, place = found.get_ifd(ExifTags.IFD.Exif), found.get_ifd(ExifTags.IFD.GPSInfo)
    assert found[ExifTags.Base.Make] == "maker"
    assert own[ExifTags.Base.DateTimeOriginal] == TAKEN
    assert own[ExifTags.Base.MakerNote] == b"note" * 9
    assert place[ExifTags.GPS.GPSLatitude] == LATITUDE
    assert found.get_ifd(ExifTags.IFD.Interop)[1] == "R98"


def test_the_block_stands_where_its_offsets_count_from() -> None:
    block = camera_block()
    assert encode_tiff(RGB, {"exif": block})[8 : len(block)] == block[8:]


def test_tags_of_storage_do_not_reach_the_file() -> None:
    assert 0x0103 not in (shared_entries(camera_block()) or {})
    assert opened(encode_tiff(RGB, {"exif": camera_block()})).info["compression"] == "tiff_adobe_deflate"


def test_profile_and_xmp_arrive_byte_for_byte() -> None:
    found = opened(encode_tiff(RGB, {"icc_profile": PROFILE, "xmp": XMP}))
    assert (found.info["icc_profile"], found.info["xmp"]) == (PROFILE, XMP)


@pytest.mark.parametrize("block", [b"nonsense", b"II*\0\xff\xff\xff\xff", b"MM\0*", exif({271: (3, 1)})[:15]], ids=str)
def test_a_block_that_cannot_be_read_is_left_out_and_told(block: bytes) -> None:
    image = with_metadata(RGB.copy(), {"exif": block, "xmp": XMP})
    assert left_out(image, ".tif") == ["exif"]
    found = opened(encode_image(image, ".tif"))
    assert metadata_of(found) == {"xmp": XMP}
    assert np.array_equal(np.asarray(found), np.asarray(RGB))


def test_what_repeats_is_compressed() -> None:
    assert len(encode_tiff(Image.new("RGB", (500, 500), "red"), {})) < 5000
