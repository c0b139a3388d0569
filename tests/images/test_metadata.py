"""ICC profile, Exif and XMP: kept byte for byte, and never asking a viewer to turn the picture twice."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from s2lic.images.metadata import EXIF_MARK, metadata_of, upright, with_metadata
from tests.files import ORIENTATION, PROFILE, XMP, exif
from tests.frozen import picture

IMAGE = picture("portrait", size=(9, 6))
SHORT, LONG, SIGNED_BYTE, SIGNED = 3, 4, 6, 9


def saved(name: str, **options: object) -> Image.Image:
    buffer = io.BytesIO()
    IMAGE.save(buffer, name, **options)  # type: ignore[arg-type]
    image = Image.open(buffer)
    image.load()
    return image


def test_a_picture_without_metadata_has_none() -> None:
    assert metadata_of(saved("PNG", comment="here")) == {}


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_metadata_come_byte_for_byte_from_every_format(name: str) -> None:
    block = exif({0x0128: (SHORT, 2)})
    options = {"icc_profile": PROFILE, "exif": EXIF_MARK + block}
    assert metadata_of(saved(name, **options)) == {"icc_profile": PROFILE, "exif": block}


@pytest.mark.parametrize("name", ["JPEG", "WEBP", "AVIF", "TIFF"])
def test_xmp_comes_byte_for_byte(name: str) -> None:
    options = {"tiffinfo": {ExifTags.Base.XMLPacket: XMP}} if name == "TIFF" else {"xmp": XMP}
    assert metadata_of(saved(name, **options))["xmp"] == XMP


def test_the_exif_of_a_tiff_is_what_tells_of_the_picture() -> None:
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "maker"
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ISOSpeedRatings] = 200
    tags[ExifTags.IFD.Exif] = 0
    found = Image.Exif()
    found.load(metadata_of(saved("TIFF", exif=tags))["exif"])
    assert dict(found) == {ExifTags.Base.Make: "maker", ExifTags.IFD.Exif: found[ExifTags.IFD.Exif]}
    assert found.get_ifd(ExifTags.IFD.Exif) == {ExifTags.Base.ISOSpeedRatings: 200}


def test_a_plain_tiff_brings_nothing() -> None:
    assert metadata_of(saved("TIFF")) == {}


def test_exif_in_the_text_of_a_png_is_found() -> None:
    image = IMAGE.copy()
    block = EXIF_MARK + exif({0x0128: (SHORT, 2)})
    image.info["Raw profile type exif"] = f"\nexif\n{len(block):8}\n{block.hex()}\n"
    assert metadata_of(image) == {"exif": block.removeprefix(EXIF_MARK)}


def test_text_of_a_png_that_is_no_exif_is_left_out() -> None:
    image = IMAGE.copy()
    image.info["Raw profile type exif"] = "\nexif\n       3\nxyz\n"
    assert metadata_of(image) == {}


def test_metadata_go_where_pillow_looks_for_them() -> None:
    block = exif({0x0128: (SHORT, 2)})
    metadata = {"icc_profile": PROFILE, "exif": block, "xmp": XMP}
    image = with_metadata(IMAGE.copy(), metadata)
    assert image.getexif()[0x0128] == 2
    assert metadata_of(image) == metadata
    assert with_metadata(image, {}).info == {}


@pytest.mark.parametrize("kind", [SHORT, LONG, SIGNED], ids=["short", "long", "signed"])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_the_pixels_are_turned_once_and_only_the_orientation_of_the_exif_changes(
    turn: int, order: str, kind: int
) -> None:
    block = exif({0x0100: (LONG, 77), ORIENTATION: (kind, turn), 0x0128: (SHORT, 2)}, order)
    image = with_metadata(IMAGE.copy(), {"exif": block})
    seen = np.asarray(ImageOps.exif_transpose(image))
    turned = upright(image)
    assert np.array_equal(np.asarray(turned), seen)
    assert metadata_of(turned)["exif"] == exif({0x0100: (LONG, 77), ORIENTATION: (kind, 1), 0x0128: (SHORT, 2)}, order)
    assert np.array_equal(np.asarray(ImageOps.exif_transpose(turned)), seen)


@pytest.mark.parametrize("form", ['tiff:Orientation="%d"', "<tiff:Orientation>%d</tiff:Orientation>"])
def test_an_orientation_in_the_xmp_is_obeyed_and_then_set_to_upright(form: str) -> None:
    image = with_metadata(IMAGE.copy(), {"xmp": XMP + (form % 6).encode()})
    turned = upright(image)
    assert turned.size == (6, 9)
    assert metadata_of(turned) == {"xmp": XMP + (form % 1).encode()}
    assert upright(turned).size == (6, 9)


@pytest.mark.parametrize(
    "block",
    [
        b"nonsense",
        b"II",
        b"II*\0\xff\xff\xff\xff",
        exif({ORIENTATION: (SHORT, 6)})[:20],
        exif({ORIENTATION: (SHORT, 9)}),
        exif({ORIENTATION: (SHORT, 0)}),
    ],
    ids=["no Exif", "cut", "far away", "cut in the entry", "nine", "zero"],
)
def test_exif_that_makes_no_sense_is_kept_and_turns_nothing(block: bytes) -> None:
    image = with_metadata(IMAGE.copy(), {"exif": block})
    assert upright(image).size == IMAGE.size
    assert metadata_of(image) == {"exif": block}


def test_an_orientation_that_cannot_be_set_turns_nothing() -> None:
    block = bytearray(exif({ORIENTATION: (SHORT, 6)}))
    block[12] = SIGNED_BYTE
    image = with_metadata(IMAGE.copy(), {"exif": bytes(block)})
    turned = upright(image)
    assert turned.size == IMAGE.size
    assert metadata_of(turned) == {"exif": bytes(block)}
