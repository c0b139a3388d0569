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

from s2lic.eval.codecs.base import CodecRow
from s2lic.eval.codecs.pillow_codecs import AVIF, JPEG
from s2lic.eval.metrics import ms_ssim, psnr
from s2lic.files import check_output, make_folder, write_atomically
from s2lic.images.save import encode_image

if TYPE_CHECKING:
    from s2lic.codec import Codec

SAMPLE = Path(__file__).with_name("demo.png")
PEERS = (AVIF, JPEG)
TABLE_HEAD = "quality    bytes     bpp  PSNR dB  MS-SSIM  encode s  decode s   AVIF dB   MS-SSIM   JPEG dB   MS-SSIM"
VIEW, FORMS = "side-by-side.png", (".s2lic", ".png")
CROP, CAPTION = 240, 38
# Where the crop lies between the edges: left of and above the middle, where many photographs have their subject.
ACROSS, DOWN = 0.38, 0.4


@dataclass(frozen=True)
class DemoImage:
    """A decoded image, the size of its file, and its distance from the original."""

    codec: str
    size: int
    image: Image.Image
    psnr: float
    ms_ssim: float | None

    @property
    def bpp(self) -> float:
        """Bits per pixel of the file."""
        return 8 * self.size / (self.image.width * self.image.height)

    @property
    def caption(self) -> str:
        """Two lines: the size, and the distances."""
        return f"{self.codec}, {self.size:,} bytes\n{self.psnr:.1f} dB, MS-SSIM {_ms_ssim(self.ms_ssim)}"


@dataclass(frozen=True)
class DemoResult:
    """One quality: s2lic, measured on the written file and the decoded 8-bit image, and the peers at its size."""

    quality: float
    ours: DemoImage
    encode_seconds: float
    decode_seconds: float
    peers: tuple[DemoImage, ...]

    def facts(self) -> dict[str, object]:
        """The row for programs; a value that is not finite is None."""
        numbers = {
            "quality": self.quality,
            "bytes": self.ours.size,
            "bpp": self.ours.bpp,
            "psnr": self.ours.psnr,
            "ms_ssim": self.ours.ms_ssim,
            "encode_seconds": self.encode_seconds,
            "decode_seconds": self.decode_seconds,
        }
        for peer in self.peers:
            name = peer.codec.lower()
            numbers |= {f"{name}_bytes": peer.size, f"{name}_psnr": peer.psnr, f"{name}_ms_ssim": peer.ms_ssim}
        return {name: value if value is None or math.isfinite(value) else None for name, value in numbers.items()}

    def __str__(self) -> str:
        peers = "".join(f" {peer.psnr:9.2f} {_ms_ssim(peer.ms_ssim):>9}" for peer in self.peers)
        return (
            f"{self.quality:7g} {self.ours.size:8d} {self.ours.bpp:7.4f} {self.ours.psnr:8.2f}"
            f" {_ms_ssim(self.ours.ms_ssim):>8} {self.encode_seconds:9.2f} {self.decode_seconds:9.2f}{peers}"
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


def run(codec: Codec, image: Image.Image, qualities: Sequence[float], out: Path, force: bool) -> Iterator[DemoResult]:
    """Measure each quality; write files, images and a side-by-side view to `out`. Raises ExtraMissingError."""
    codec.decode(codec.encode(image, qualities[0]))  # the first run also pays for warming up
    results = []
    for quality in qualities:
        result, *files = _measured(codec, image, quality)
        for form, data in zip(FORMS, files, strict=True):
            write_atomically(_name(out, quality, form), data, force)
        results.append(result)
        yield result
    write_atomically(out / VIEW, encode_image(side_by_side(image, results)), force)


def of_size(row: CodecRow, image: Image.Image, size: int) -> DemoImage:
    """The file of a codec that is nearest to `size` bytes. Raises ExtraMissingError."""
    coder, qualities = row.open({}), range(int(row.scale.low), int(row.scale.high) + 1)
    above = bisect.bisect_right(qualities, size, key=lambda quality: len(coder.encode(image, quality)))
    around = [coder.encode(image, quality) for quality in qualities[max(above - 1, 0) : above + 1]]
    data = min(around, key=lambda data: abs(len(data) - size))
    return _compared(row.label, len(data), coder.decode(data, image.size), image)


def side_by_side(image: Image.Image, results: Sequence[DemoResult]) -> Image.Image:
    """The same part at true size: a row for the lowest, middle and highest quality, a column for each codec."""
    shown = [results[index] for index in sorted({0, len(results) // 2, len(results) - 1})]
    width, height = min(CROP, image.width), min(CROP, image.height)
    left, top = int(ACROSS * (image.width - width)), int(DOWN * (image.height - height))
    sheet = Image.new("RGB", (width * (2 + len(PEERS)), len(shown) * (height + CAPTION)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for y, result in enumerate(shown):
        coded = [(one.caption, one.image) for one in (result.ours, *result.peers)]
        for x, (caption, picture) in enumerate([("original", image), *coded]):
            corner_x, corner_y = x * width, y * (height + CAPTION)
            pen.text((corner_x + 4, corner_y + 2), caption, "black", font)
            sheet.paste(picture.crop((left, top, left + width, top + height)), (corner_x, corner_y + CAPTION))
    return sheet


def _name(out: Path, quality: float, form: str) -> Path:
    return out / f"q{quality:g}{form}"


def _measured(codec: Codec, image: Image.Image, quality: float) -> tuple[DemoResult, bytes, bytes]:
    """The result, and a file of each of `FORMS`."""
    start = time.perf_counter()
    data = codec.encode(image, quality)
    between = time.perf_counter()
    picture = codec.decode(data)
    end = time.perf_counter()
    ours = _compared("s2lic", len(data), picture, image)
    peers = tuple(of_size(row, image, len(data)) for row in PEERS)
    return DemoResult(quality, ours, between - start, end - between, peers), data, encode_image(picture)


def _compared(codec: str, size: int, picture: Image.Image, original: Image.Image) -> DemoImage:
    return DemoImage(codec, size, picture, psnr(original, picture), ms_ssim(original, picture))


def _ms_ssim(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
