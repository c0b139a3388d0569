"""Visual comparisons: files of the first codec, and files of the others of nearly equal size."""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import cache
from pathlib import Path

from PIL import Image

from s2lic.eval import codecs, measure
from s2lic.eval.codecs.base import Coder, Scale
from s2lic.eval.codecs.pillow_codecs import PillowCoder
from s2lic.eval.html.views import PictureView, Version, crop_size, middle
from s2lic.eval.metrics import psnr
from s2lic.eval.pictures import open_rgb
from s2lic.eval.records import Evaluation, RDCurve, Sample
from s2lic.files import read_bytes

BPP = 0.4
VIEWS = 4


def views(found: Evaluation, folder: Path) -> list[PictureView]:
    """Views of some pictures, from the lowest to the highest rate, at the quality with a mean rate nearest to `BPP`.

    Decodes the files of the folder. Fast codecs encode again to match the size. Raises what opening and decoding raise.
    """
    lead = next((curve for curve in found.curves if curve.points), None)
    return [] if lead is None else [_view(found, lead, sample, folder) for sample in _chosen(found, lead)]


def _chosen(found: Evaluation, lead: RDCurve) -> list[Sample]:
    """Samples of the first codec at that quality, evenly spaced by rate."""
    quality = min(lead.points, key=lambda point: abs(math.log(point.bpp / BPP))).quality
    samples = [s for s in found.samples if (s.codec, s.quality) == (lead.codec, quality)]
    samples.sort(key=lambda sample: sample.bpp)
    last = len(samples) - 1
    return [samples[i] for i in sorted({round(last * k / max(VIEWS - 1, 1)) for k in range(VIEWS)})]


def _view(found: Evaluation, lead: RDCurve, sample: Sample, folder: Path) -> PictureView:
    (picture,) = (picture for picture in found.pictures if picture.name == sample.picture)
    original = open_rgb(picture.path)
    versions = [Version("Original", "Original", middle(original))]
    for curve in (lead, *(curve for curve in found.curves if curve is not lead)):
        measured = [s for s in found.samples if (s.codec, s.picture) == (curve.codec, picture.name)]
        if measured:
            kind = found.kinds.get(curve.codec, curve.codec)
            coder = measure.opened(kind, tuple(sorted(found.options[curve.codec].items())))
            quality, data = _matched(curve.codec, coder, original, measured, sample.size, folder)
            versions.append(_version(coder, curve.label, original, quality, data))
    return PictureView(picture.name, *crop_size(original), tuple(versions))


def _version(coder: Coder, label: str, original: Image.Image, quality: float, data: bytes) -> Version:
    decoded = coder.decode(data, original.size).convert("RGB")
    bpp = 8 * len(data) / (original.width * original.height)
    caption = f"{label}: {bpp:.3f} bpp, {psnr(original, decoded):.2f} dB (quality {quality:g})"
    return Version(label, caption, middle(decoded))


def _matched(
    codec: str, coder: Coder, original: Image.Image, measured: list[Sample], size: int, folder: Path
) -> tuple[float, bytes]:
    """The quality whose file is nearest in size to `size` bytes, by ratio, and that file.

    Pillow's codecs, which are fast, try all qualities; others only those that were measured.
    """
    measured = sorted(measured, key=lambda sample: sample.size)
    if len(measured) > 1 and isinstance(coder, PillowCoder):
        return nearest(coder, original, size, *_around(codecs.row(codec).scale, measured, size))
    best = min(measured, key=lambda sample: abs(math.log(sample.size / size)))
    return best.quality, read_bytes(folder / best.file)


def _around(scale: Scale, measured: list[Sample], size: int) -> tuple[int, int]:
    """The measured qualities, or ends of the scale, whose files are just smaller and just larger than `size`."""
    rising = measured[0].quality < measured[-1].quality
    ends = (scale.low, scale.high) if rising else (scale.high, scale.low)
    marks = [ends[0], *(sample.quality for sample in measured), ends[1]]
    above = 1 + bisect_left(measured, size, key=lambda sample: sample.size)
    return int(marks[above - 1]), int(marks[above])


def nearest(coder: Coder, original: Image.Image, size: int, low: int, high: int) -> tuple[int, bytes]:
    """The integer quality from `low` to `high`, along which files grow, with a file nearest to `size` by ratio."""
    encode = cache(lambda quality: coder.encode(original, quality))
    qualities = range(low, high + 1) if low < high else range(low, high - 1, -1)
    above = bisect_left(qualities, size, key=lambda quality: len(encode(quality)))
    around = qualities[max(above - 1, 0) : above + 1]
    best = min(around, key=lambda quality: abs(math.log(len(encode(quality)) / size)))
    return best, encode(best)
