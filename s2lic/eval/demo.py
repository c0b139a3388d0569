"""The demonstration: one photograph at several qualities, compared with AVIF and JPEG files of equal size."""

from __future__ import annotations

import bisect
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from s2lic.errors import TargetRangeError
from s2lic.eval.codecs.base import CodecRow
from s2lic.eval.codecs.pillow_codecs import AVIF, JPEG
from s2lic.eval.metrics import ms_ssim, psnr, ssimulacra2
from s2lic.files import check_output, make_folder, write_atomically
from s2lic.images.save import encode_image

if TYPE_CHECKING:
    from s2lic.codec import Codec

SAMPLE = Path(__file__).with_name("demo.png")
PEERS = (AVIF, JPEG)
TABLE_HEAD = "quality  codec           bytes     bpp  PSNR dB  MS-SSIM  SSIMULACRA2   enc s   dec s"
VIEW, FORMS = "side-by-side.png", (".s2lic", ".png")
CROP, CAPTION = 240, 38
# Where the crop lies between the edges: left of and above the middle, where many photographs have their subject.
ACROSS, DOWN = 0.38, 0.4


@dataclass(frozen=True)
class DemoImage:
    """A decoded image at a quality of the demonstration, and its distance from the original.

    Attributes:
        quality: The quality that sets the size of all files of its row.
        codec: The name of the codec.
        size: Bytes of the file.
        image: The decoded image.
        psnr: In dB.
        ms_ssim, ssimulacra2: None where the image is too small for them.
        seconds: Of encoding and decoding, for s2lic at that quality.
    """

    quality: float
    codec: str
    size: int
    image: Image.Image
    psnr: float
    ms_ssim: float | None
    ssimulacra2: float | None
    seconds: tuple[float, float] | None = None

    @property
    def bpp(self) -> float:
        """Bits per pixel of the file."""
        return 8 * self.size / (self.image.width * self.image.height)

    @property
    def caption(self) -> str:
        """Two lines: the size, and the distances."""
        return f"{self.codec}, {self.size:,} bytes\n{self.psnr:.1f} dB, SSIMULACRA2 {_shown(self.ssimulacra2, '.0f')}"

    def facts(self) -> dict[str, object]:
        """The row for programs; a value that is not finite is None."""
        encode, decode = self.seconds or (None, None)
        numbers = {
            "bytes": self.size,
            "bpp": self.bpp,
            "psnr": self.psnr,
            "ms_ssim": self.ms_ssim,
            "ssimulacra2": self.ssimulacra2,
            "encode_seconds": encode,
            "decode_seconds": decode,
        }
        finite = {name: value if value is None or math.isfinite(value) else None for name, value in numbers.items()}
        return {"quality": self.quality, "codec": self.codec, **finite}

    def __str__(self) -> str:
        encode, decode = self.seconds or (None, None)
        return (
            f"{self.quality:7g}  {self.codec:<11} {self.size:9d} {self.bpp:7.4f} {self.psnr:8.2f} "
            f"{_shown(self.ms_ssim, '.4f'):>8} {_shown(self.ssimulacra2, '.1f'):>12} "
            f"{_shown(encode, '.2f'):>7} {_shown(decode, '.2f'):>7}"
        )


def prepare(out: Path, qualities: Sequence[float], force: bool) -> None:
    """Make the folder for `run` and check that nothing is in the way of its files.

    Raises OutputPlaceError, OutputUnwritableError, and OutputExistsError unless `force`.
    """
    make_folder(out)
    for quality in qualities:
        for form in FORMS:
            check_output(_name(out, quality, form), force)
    check_output(out / VIEW, force)


def run(
    codec: Codec, for_psnr: Codec | None, image: Image.Image, qualities: Sequence[float], out: Path, force: bool
) -> Iterator[DemoImage]:
    """Measure each quality; write files, images and a side-by-side view to `out`.

    Args:
        codec: The codec that sets the size of each quality.
        for_psnr: A codec tuned for PSNR to show beside the first at equal size.
        image: The original.
        qualities: 0..100.
        out: The folder.
        force: Replace files.

    Raises:
        ExtraMissingError: Pillow lacks a codec, or a metric is not installed.
    """
    codec.decode(codec.encode(image, qualities[0]))  # the first run also pays for warming up
    rows = []
    for quality in qualities:
        ours, *files = _measured(codec, image, quality)
        for form, data in zip(FORMS, files, strict=True):
            write_atomically(_name(out, quality, form), data, force)
        tuned = [] if for_psnr is None else [_at_size(for_psnr, image, quality, ours.size)]
        rows.append([ours, *tuned, *(of_size(row, image, quality, ours.size) for row in PEERS)])
        yield from rows[-1]
    write_atomically(out / VIEW, encode_image(side_by_side(image, rows)), force)


def of_size(row: CodecRow, image: Image.Image, quality: float, size: int) -> DemoImage:
    """The file of a peer that is nearest to `size` bytes. Raises ExtraMissingError."""
    coder, qualities = row.open({}), range(int(row.scale.low), int(row.scale.high) + 1)
    above = bisect.bisect_right(qualities, size, key=lambda quality: len(coder.encode(image, quality)))
    around = [coder.encode(image, quality) for quality in qualities[max(above - 1, 0) : above + 1]]
    data = min(around, key=lambda data: abs(len(data) - size))
    return _compared(quality, row.label, len(data), coder.decode(data, image.size), image)


def side_by_side(image: Image.Image, rows: Sequence[Sequence[DemoImage]]) -> Image.Image:
    """The same part at true size: a row for the lowest, middle and highest quality, a column for each codec."""
    shown = [rows[index] for index in sorted({0, len(rows) // 2, len(rows) - 1})]
    width, height = min(CROP, image.width), min(CROP, image.height)
    left, top = int(ACROSS * (image.width - width)), int(DOWN * (image.height - height))
    sheet = Image.new("RGB", (width * (1 + len(shown[0])), len(shown) * (height + CAPTION)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for y, row in enumerate(shown):
        for x, (caption, picture) in enumerate([("original", image), *((one.caption, one.image) for one in row)]):
            corner_x, corner_y = x * width, y * (height + CAPTION)
            pen.text((corner_x + 4, corner_y + 2), caption, "black", font)
            sheet.paste(picture.crop((left, top, left + width, top + height)), (corner_x, corner_y + CAPTION))
    return sheet


def _name(out: Path, quality: float, form: str) -> Path:
    return out / f"q{quality:g}{form}"


def _measured(codec: Codec, image: Image.Image, quality: float) -> tuple[DemoImage, bytes, bytes]:
    """The result, and a file of each of `FORMS`."""
    start = time.perf_counter()
    data = codec.encode(image, quality)
    between = time.perf_counter()
    picture = codec.decode(data)
    seconds = between - start, time.perf_counter() - between
    ours = _compared(quality, "s2lic", len(data), picture, image, seconds)
    return ours, data, encode_image(picture)


def _at_size(codec: Codec, image: Image.Image, quality: float, size: int) -> DemoImage:
    """The file of at most `size` bytes, or of quality 0."""
    try:
        data = codec.encode(image, target_size=size)
    except TargetRangeError:
        data = codec.encode(image, 0)
    return _compared(quality, "s2lic, psnr", len(data), codec.decode(data), image)


def _compared(
    quality: float,
    codec: str,
    size: int,
    picture: Image.Image,
    original: Image.Image,
    seconds: tuple[float, float] | None = None,
) -> DemoImage:
    metrics = psnr(original, picture), ms_ssim(original, picture), ssimulacra2(original, picture)
    return DemoImage(quality, codec, size, picture, *metrics, seconds)


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"
