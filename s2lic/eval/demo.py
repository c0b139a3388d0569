"""The demonstration: one photograph at several qualities, beside JPEG of about the same size."""

from __future__ import annotations

import bisect
import io
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from s2lic.errors import ExtraMissingError
from s2lic.eval.metrics import ms_ssim, psnr
from s2lic.files import check_output, make_folder, write_atomically
from s2lic.images.save import encode_image

if TYPE_CHECKING:
    from s2lic.codec import Codec

TABLE_HEAD = "quality    bytes     bpp  PSNR dB  MS-SSIM  encode s  decode s  JPEG bytes  JPEG PSNR dB"
VIEW, FORMS = "side-by-side.png", (".s2lic", ".png")
CROP = (288, 360)
_CAPTION = 20


@dataclass(frozen=True)
class Coded:
    """A picture that has been through a codec, its size and its distance from the original."""

    codec: str
    size: int
    picture: Image.Image
    psnr: float

    @property
    def bpp(self) -> float:
        return 8 * self.size / (self.picture.width * self.picture.height)

    @property
    def caption(self) -> str:
        return f"{self.codec} {self.size} bytes, {self.psnr:.1f} dB"


@dataclass(frozen=True)
class Row:
    """One quality, measured on the written file and the decoded 8-bit picture."""

    quality: float
    ours: Coded
    ms_ssim: float | None
    encode_seconds: float
    decode_seconds: float
    jpeg: Coded

    def facts(self) -> dict[str, object]:
        """The row for programs; what is not finite is None."""
        numbers = {
            "quality": self.quality,
            "bytes": self.ours.size,
            "bpp": self.ours.bpp,
            "psnr": self.ours.psnr,
            "ms_ssim": self.ms_ssim,
            "encode_seconds": self.encode_seconds,
            "decode_seconds": self.decode_seconds,
            "jpeg_bytes": self.jpeg.size,
            "jpeg_psnr": self.jpeg.psnr,
        }
        return {name: value if value is None or math.isfinite(value) else None for name, value in numbers.items()}

    def __str__(self) -> str:
        ms_ssim = "-" if self.ms_ssim is None else f"{self.ms_ssim:.4f}"
        return (
            f"{self.quality:7g} {self.ours.size:8d} {self.ours.bpp:7.4f} {self.ours.psnr:8.2f}"
            f" {ms_ssim:>8} {self.encode_seconds:9.2f} {self.decode_seconds:9.2f}"
            f" {self.jpeg.size:11d} {self.jpeg.psnr:13.2f}"
        )


def sample_photograph() -> str:
    """A portrait in the public domain that matplotlib brings. Raises ExtraMissingError."""
    try:
        from matplotlib.cbook import get_sample_data
    except ImportError as error:
        raise _extra("matplotlib") from error
    return str(get_sample_data("grace_hopper.jpg", asfileobj=False))


def prepare(out: Path, qualities: Sequence[float], force: bool) -> None:
    """Make the folder for `run`, and see that it has room for what will be written.

    Raises OutputPlaceError, OutputUnwritableError, and OutputExistsError unless `force`.
    """
    make_folder(out)
    for quality in qualities:
        for form in FORMS:
            check_output(_name(out, quality, form), force)
    check_output(out / VIEW, force)


def run(codec: Codec, image: Image.Image, qualities: Sequence[float], out: Path, force: bool) -> Iterator[Row]:
    """Measure each quality; leave files, pictures and a side-by-side view in `out`."""
    codec.decode(codec.encode(image, qualities[0]))  # the first run also pays for warming up
    rows = []
    for quality in qualities:
        row, *files = _measured(codec, image, quality)
        for form, data in zip(FORMS, files, strict=True):
            write_atomically(_name(out, quality, form), data, force)
        rows.append(row)
        yield row
    write_atomically(out / VIEW, encode_image(side_by_side(image, rows)), force)


def jpeg_of_size(image: Image.Image, size: int) -> Coded:
    """The largest JPEG of at most `size` bytes, or the smallest there is."""
    qualities = range(1, 101)
    above = bisect.bisect_right(qualities, size, key=lambda q: len(_jpeg(image, q)))
    data = _jpeg(image, qualities[max(above - 1, 0)])
    picture = Image.open(io.BytesIO(data))
    return Coded("JPEG", len(data), picture, psnr(image, picture))


def side_by_side(image: Image.Image, rows: Sequence[Row]) -> Image.Image:
    """The same crop of the original and of the lowest, middle and highest row; JPEG below."""
    shown = [rows[index] for index in sorted({0, len(rows) // 2, len(rows) - 1})]
    width, height = min(CROP[0], image.width), min(CROP[1], image.height)
    left, top = (image.width - width) // 2, (image.height - height) // 4
    sheet = Image.new("RGB", (width * (1 + len(shown)), 2 * (height + _CAPTION)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for y, line in enumerate(([row.ours for row in shown], [row.jpeg for row in shown])):
        cells = [("original", image), *((coded.caption, coded.picture) for coded in line)]
        for x, (caption, picture) in enumerate(cells):
            corner_x, corner_y = x * width, y * (height + _CAPTION)
            pen.text((corner_x + 4, corner_y + 2), caption, "black", font)
            crop = picture.crop((left, top, left + width, top + height))
            sheet.paste(crop, (corner_x, corner_y + _CAPTION))
    return sheet


def _name(out: Path, quality: float, form: str) -> Path:
    return out / f"q{quality:g}{form}"


def _measured(codec: Codec, image: Image.Image, quality: float) -> tuple[Row, bytes, bytes]:
    """The row, and a file of each of `FORMS`."""
    start = time.perf_counter()
    data = codec.encode(image, quality)
    between = time.perf_counter()
    picture = codec.decode(data)
    end = time.perf_counter()
    row = Row(
        quality=quality,
        ours=Coded("s2lic", len(data), picture, psnr(image, picture)),
        ms_ssim=ms_ssim(image, picture),
        encode_seconds=between - start,
        decode_seconds=end - between,
        jpeg=jpeg_of_size(image, len(data)),
    )
    return row, data, encode_image(picture)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def _extra(package: str) -> ExtraMissingError:
    return ExtraMissingError(f"the demo needs {package}; install it with: pip install {package}")
