"""Views of an evaluation for its report: our file, and those of other codecs that are nearest to it in size."""

from __future__ import annotations

from pathlib import Path

from s2lic.eval import measure
from s2lic.eval.html.views import Version, View, middle
from s2lic.eval.pictures import open_rgb
from s2lic.eval.records import Evaluation, Picture, Sample

BPP = 0.4
VIEWS = 6


def views(found: Evaluation, folder: Path) -> list[View]:
    """The first pictures through every codec: the first codec nearest to `BPP`, the others nearest to its rate.

    Decodes the files in the folder. Raises what opening and decoding raise.
    """
    return [_view(found, picture, folder) for picture in found.pictures[:VIEWS]]


def _view(found: Evaluation, picture: Picture, folder: Path) -> View:
    original = open_rgb(picture.path)
    versions, bpp = [Version("Original", "original", middle(original))], BPP
    for curve in found.curves:
        samples = [s for s in found.samples if (s.codec, s.picture) == (curve.codec, picture.name)]
        if not samples:
            continue
        nearest = min(samples, key=lambda sample: abs(sample.bpp - bpp))
        bpp = nearest.bpp if len(versions) == 1 else bpp
        versions.append(_version(found, curve.label, nearest, original.size, folder))
    return View(picture.name, *original.size, tuple(versions))


def _version(found: Evaluation, label: str, sample: Sample, size: tuple[int, int], folder: Path) -> Version:
    coder = measure.opened(sample.codec, tuple(sorted(found.options[sample.codec].items())))
    decoded = coder.decode((folder / sample.file).read_bytes(), size)
    return Version(label, f"{label}: {sample.bpp:.3f} bpp, {sample.psnr:.2f} dB", middle(decoded.convert("RGB")))
