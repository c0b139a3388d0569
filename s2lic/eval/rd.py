"""Rate-distortion points of a codec on written files, and the comparing of curves made of them."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from s2lic.errors import ExtraMissingError, S2licError
from s2lic.eval.metrics import ms_ssim, psnr
from s2lic.images import open_image

if TYPE_CHECKING:
    from s2lic.images import ImageLike

LOW, HIGH = 28.5, 37.5
POINTS_MIN = 6


class CurveError(S2licError):
    """The points of a curve do not rise strictly in both rate and PSNR, or are fewer than two."""


class Coder(Protocol):
    """What `measure` asks of a codec; `s2lic.Codec` has it."""

    def encode(self, image: ImageLike, quality: float = ...) -> bytes: ...

    def decode(self, data: bytes) -> Image.Image: ...


class RatePoint(Protocol):
    """A point of any curve: bits a pixel and dB."""

    @property
    def bpp(self) -> float: ...

    @property
    def psnr(self) -> float: ...


@dataclass(frozen=True)
class Point:
    """Means over pictures of the per-picture values; seconds are medians. MS-SSIM is None if any picture has none."""

    quality: float
    bpp: float
    psnr: float
    msssim: float | None
    encode_s: float
    decode_s: float


@dataclass(frozen=True)
class BdRate:
    """The mean difference in rate at equal PSNR in percent, or why there is none."""

    percent: float | None
    reason: str = ""

    def __str__(self) -> str:
        return f"not comparable: {self.reason}" if self.percent is None else f"{self.percent:+.1f} %"


def measure(codec: Coder, pictures: Sequence[Path], qualities: Sequence[float], folder: Path) -> list[Point]:
    """A point a quality. Every file is written into `folder`, and its size and its content read back from there.

    Raises what opening, encoding and decoding raise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    codec.decode(
        codec.encode(open_image(pictures[0], strip=True), qualities[0])
    )  # the first run also pays for warming up
    rows = [
        [
            _one(codec, open_image(path, strip=True), quality, folder / f"{path.stem}-q{quality:g}.s2lic")
            for quality in qualities
        ]
        for path in pictures
    ]
    return [_mean(list(points)) for points in zip(*rows, strict=True)]


def _one(codec: Coder, image: Image.Image, quality: float, file: Path) -> Point:
    start = time.perf_counter()
    data = codec.encode(image, quality)
    encode_s = time.perf_counter() - start
    file.write_bytes(data)
    data = file.read_bytes()
    start = time.perf_counter()
    decoded = codec.decode(data)
    decode_s = time.perf_counter() - start
    bpp = 8 * file.stat().st_size / (image.width * image.height)
    return Point(quality, bpp, psnr(image, decoded), ms_ssim(image, decoded), encode_s, decode_s)


def _mean(points: list[Point]) -> Point:
    similarities = [point.msssim for point in points if point.msssim is not None]
    return Point(
        quality=points[0].quality,
        bpp=fmean(point.bpp for point in points),
        psnr=fmean(point.psnr for point in points),
        msssim=fmean(similarities) if len(similarities) == len(points) else None,
        encode_s=median(point.encode_s for point in points),
        decode_s=median(point.decode_s for point in points),
    )


def first_fall(points: Sequence[RatePoint]) -> str:
    """Where rate or PSNR first fails to rise from point to point; empty if both rise strictly."""
    for before, after in pairwise(points):
        if not (after.bpp > before.bpp and after.psnr > before.psnr):
            return f"from {before.bpp:.4f} bpp, {before.psnr:.3f} dB to {after.bpp:.4f} bpp, {after.psnr:.3f} dB"
    return ""


def bpp_at(points: Sequence[RatePoint], dbs: Sequence[float]) -> list[float | None]:
    """Bits a pixel at each PSNR, by monotone cubic interpolation of log rate; None beyond the curve's ends.

    Raises CurveError unless the points rise strictly.
    """
    log_rate = _log_rate(points)
    ends = points[0].psnr, points[-1].psnr
    return [math.exp(log_rate(db)) if ends[0] <= db <= ends[1] else None for db in dbs]


def bd_rate(points: Sequence[RatePoint], anchor: Sequence[RatePoint], low: float = LOW, high: float = HIGH) -> BdRate:
    """Bjontegaard's rate difference over [low, high] dB, by monotone cubic interpolation of log rate over PSNR.

    It counts only for at least six points that rise strictly and cover the interval. Raises CurveError if
    the anchor is no curve that covers it.
    """
    if reason := _not_comparable(points, low, high):
        return BdRate(None, reason)
    if uncovered := _uncovered(anchor, low, high):
        raise CurveError(f"the anchor is no measure: {uncovered}")
    area = _log_rate(points).integrate(low, high) - _log_rate(anchor).integrate(low, high)
    return BdRate(100 * math.expm1(float(area) / (high - low)))


def _not_comparable(points: Sequence[RatePoint], low: float, high: float) -> str:
    if len(points) < POINTS_MIN:
        return f"{len(points)} points, and {POINTS_MIN} are needed"
    if fall := first_fall(points):
        return f"not strictly monotone, {fall}"
    return _uncovered(points, low, high)


def _uncovered(points: Sequence[RatePoint], low: float, high: float) -> str:
    first, last = points[0].psnr, points[-1].psnr
    if first <= low and last >= high:
        return ""
    return f"{first:.2f} to {last:.2f} dB does not cover {low:g} to {high:g} dB"


def _log_rate(points: Sequence[RatePoint]) -> Any:
    """The curve log bpp over PSNR. Raises CurveError, ExtraMissingError."""
    if len(points) < 2:
        raise CurveError("a curve needs at least two points")
    if fall := first_fall(points):
        raise CurveError(f"rate and PSNR must rise from point to point, but do not {fall}")
    try:
        from scipy.interpolate import PchipInterpolator  # type: ignore[import-untyped]
    except ImportError as error:
        raise ExtraMissingError("curves need scipy; install it with: pip install 's2lic[eval]'") from error
    return PchipInterpolator(np.array([p.psnr for p in points]), np.log([p.bpp for p in points]))
