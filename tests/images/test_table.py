"""Every row of the table in docs/pictures.md is true."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic import errors
from s2lic.images.load import as_image, read_image
from s2lic.images.metadata import EXIF_MARK
from tests.files import PROFILE, XMP, exif, png_of_16_bits

from .test_declared import HIDDEN, RGB, avif, chunk, gamma, jp2, png, saved
from .test_exif import camera
from .test_pages import PREVIEW, RAMP, grey_tags, samples, tiff

PAGE = Path(__file__).parents[2] / "docs" / "pictures.md"
GREY16 = samples("16 bits")
CMYK_PROFILE = PROFILE[:16] + b"CMYK" + PROFILE[20:]


@dataclass(frozen=True)
class Said:
    """What the table says of a property."""

    note: bool
    refused: bool
    never: bool


def table() -> dict[str, Said]:
    lines = PAGE.read_text().split("|---|---|---|---|\n")[1].split("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: Said(note == "yes", strict == "refused", note == "-") for name, _, note, strict in rows}


def with_transparency() -> bytes:
    return saved(RGB.quantize(8), transparency=3)


def further_channel() -> bytes:
    tags = {**grey_tags(8, 2), 258: (3, [8] * 4), 277: (3, [4]), 338: (3, [0]), 339: (3, [1] * 4)}
    return tiff((tags, bytes(range(256)) * 4))


def premultiplied() -> bytes:
    tags = {**grey_tags(8, 1), 258: (3, [8] * 2), 277: (3, [2]), 338: (3, [1]), 339: (3, [1] * 2)}
    return tiff((tags, bytes([100, 200]) * 256))


Input = Callable[[], bytes | Image.Image]
CASES: Mapping[str, list[Input]] = {
    "8-bit RGB or grey": [lambda: saved(RGB), lambda: saved(RGB.convert("L"), "JPEG")],
    "1-bit black and white": [lambda: saved(RGB.convert("1")), lambda: saved(RGB.convert("1"), "TIFF")],
    "palette": [lambda: saved(RGB.quantize(8)), lambda: saved(RGB.quantize(8), "GIF")],
    "16 bits a sample (PNG, TIFF, PPM, SGI)": [
        lambda: png_of_16_bits(np.full((4, 4, 3), 999, np.uint16)),
        lambda: tiff((grey_tags(16, 1), GREY16[2])),
        lambda: b"P6 1 1 65535\n" + bytes(6),
        lambda: saved(RGB, "SGI", bpc=2),
        lambda: saved(RGB.convert("L"), "SGI", bpc=2),
    ],
    "10 or 12 bits a sample (AVIF, HEIC, JPEG 2000, 12-bit TIFF)": [
        lambda: jp2(RGB, bits=12),
        lambda: tiff((grey_tags(12, 1), samples("12 bits")[2])),
    ],
    "floating point in 0..1 or 0..255": [lambda: tiff((grey_tags(32, 1, 3), samples("float")[2]))],
    "signed samples, FITS of more than 8 bits": [lambda: tiff((grey_tags(16, 1, 2), samples("signed 16")[2]))],
    "WhiteIsZero TIFF of 8 bits": [lambda: tiff((grey_tags(8, 0), RAMP))],
    "WhiteIsZero TIFF of 16 bits or float": [lambda: tiff((grey_tags(16, 0), GREY16[2]))],
    "ICC profile of the pixels' colour space": [lambda: saved(RGB, icc_profile=PROFILE)],
    "ICC profile of RGB on grey, of grey on RGB": [lambda: saved(RGB.convert("L"), icc_profile=PROFILE)],
    "ICC profile of another colour space": [lambda: saved(RGB, icc_profile=CMYK_PROFILE)],
    "sRGB, by any name": [lambda: png(chunk(b"sRGB", b"\0")), lambda: png(gamma(45_455)), lambda: avif(1, 13)],
    "gamma or primaries (PNG gAMA, cHRM; TIFF; BMP; QOI)": [lambda: png(gamma(100_000))],
    "primaries and curve by number (PNG cICP, AVIF and HEIC nclx)": [
        lambda: png(chunk(b"cICP", bytes([12, 13, 0, 1]))),
        lambda: avif(12, 13),
    ],
    "PQ and HLG (HDR)": [lambda: png(chunk(b"cICP", bytes([9, 16, 0, 1]))), lambda: avif(9, 18)],
    "gain map, second picture of an MPO": [lambda: saved(RGB, "MPO", save_all=True, append_images=[RGB])],
    "CMYK": [lambda: saved(RGB.convert("CMYK"), "JPEG"), lambda: saved(RGB.convert("CMYK"), "TIFF")],
    r"L\*a\*b\*, YCbCr and HSV images": [lambda: saved(RGB.convert("LAB"), "TIFF"), lambda: RGB.convert("HSV")],
    "alpha channel": [lambda: saved(RGB.convert("RGBA")), lambda: saved(RGB.convert("RGBA"), "WEBP")],
    "transparent palette entries or colour": [with_transparency],
    "premultiplied alpha": [premultiplied],
    "alpha 0 on every pixel": [lambda: saved(Image.fromarray(HIDDEN)), lambda: Image.fromarray(HIDDEN)],
    "further channel without a meaning (TIFF)": [further_channel],
    "orientation (Exif, XMP)": [lambda: saved(RGB, "JPEG", exif=EXIF_MARK + exif({0x0112: (3, 6)}))],
    "tags that depend on the orientation": [lambda: saved(RGB, "JPEG", exif=EXIF_MARK + camera("<", 6))],
    "resolution (JFIF, pHYs, TIFF, BMP, JPEG 2000, Exif)": [
        lambda: saved(RGB, "JPEG", dpi=(300, 300)),
        lambda: saved(RGB, "BMP", dpi=(300, 300)),
    ],
    "Exif, XMP": [lambda: saved(RGB, "WEBP", exif=EXIF_MARK + exif(), xmp=XMP)],
    "IPTC, comments, PNG text": [
        lambda: saved(RGB, "JPEG", comment="hello"),
        lambda: png(chunk(b"tEXt", b"Title\0words")),
    ],
    "animation, pages, layers, icon sizes": [
        lambda: saved(RGB, "GIF", save_all=True, append_images=[RGB.rotate(90)]),
        lambda: saved(RGB, "TIFF", save_all=True, append_images=[RGB]),
        lambda: saved(RGB.resize((64, 64)), "ICO", sizes=[(16, 16), (32, 32)]),
    ],
    "preview before the main image (TIFF)": [lambda: tiff((PREVIEW, RAMP), (grey_tags(8, 1), RAMP))],
    "preview alone (raw files of cameras)": [lambda: tiff((PREVIEW, RAMP))],
    "damaged or huge ancillary chunk (PNG)": [lambda: png(chunk(b"eXIf", exif(), crc=1))],
}


def test_the_table_has_the_rows_that_are_tested() -> None:
    assert list(table()) == list(CASES)


@pytest.mark.filterwarnings("ignore::s2lic.errors.ConversionWarning")
@pytest.mark.parametrize("name", CASES)
def test_a_row_of_the_table_is_true(name: str) -> None:
    said = table()[name]
    for made in CASES[name]:
        source = made()
        if isinstance(source, Image.Image):
            with pytest.raises(errors.LossyConversionError):
                as_image(source, strict=True)
            continue
        if said.never:
            with pytest.raises((errors.UnsupportedModeError, errors.PreviewOnlyError)):
                read_image(source)
            continue
        assert bool(read_image(source).notes) == said.note
        if said.refused:
            with pytest.raises(errors.LossyConversionError):
                read_image(source, strict=True)
        else:
            assert read_image(source, strict=True).image.size > (0, 0)


@pytest.mark.parametrize("name", ["Exif, XMP", "ICC profile of the pixels' colour space"])
def test_what_is_kept_byte_for_byte_is(name: str) -> None:
    (made,) = CASES[name]
    source = made()
    assert isinstance(source, bytes)
    with Image.open(io.BytesIO(source)) as opened:
        for key, content in opened.info.items():
            if key in ("exif", "xmp", "icc_profile"):
                assert read_image(source).image.info[key].removeprefix(EXIF_MARK) == content.removeprefix(EXIF_MARK)
