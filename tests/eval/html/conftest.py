"""A small evaluation: two tracked pictures through three codecs, and views of them."""

from __future__ import annotations

import io
from pathlib import Path
from statistics import fmean

import pytest
from PIL import Image

from s2lic.eval.html.views import PictureView, Version, crop_size, middle
from s2lic.eval.metrics import psnr
from s2lic.eval.records import Comparison, EvalPicture, Evaluation, Failure, Point, RDCurve, Sample
from tests.frozen import PICTURES, codec, picture

LABELS = {"s2lic": "s2lic", "jpeg": "JPEG", "avif": "AVIF"}
QUALITIES = {"s2lic": (10.0, 50.0, 90.0), "jpeg": (10.0, 50.0, 90.0), "avif": (20.0, 50.0, 80.0)}
PUBLISHED = ("vtm", "hm", "bpg", "av1", "webp", "jpeg", "jpeg2000", "mbt2018-mean", "elic2022", "lalic")
HOSTILE = "two</script><b>.png"


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evaluation's folder."""
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="session")
def evaluation() -> Evaluation:
    """What `s2lic eval` would have found, with made-up times and similarities."""
    samples = tuple(sample for name in QUALITIES for sample in _samples(name))
    points = (Point(0.1, 28.0, 0.9), Point(0.5, 33.0, 0.97), Point(1.5, 39.0, 0.99))
    beside = [RDCurve(f"published:{name}", LABELS.get(name, name), "a table", points) for name in PUBLISHED]
    return Evaluation(
        date="2026-01-31",
        command="s2lic eval DIR",
        machine="a machine",
        kodak=False,
        pictures=tuple(EvalPicture(name, f"{name}.png", "00ff", *picture(name).size) for name in PICTURES),
        curves=tuple(_curve(name, samples) for name in QUALITIES),
        published=tuple(beside),
        comparisons=(
            Comparison("jpeg", "published:vtm", "psnr", 28.5, 37.5, 196.04, -5.125),
            Comparison("jpeg", "published:vtm", "ms-ssim", 11.5, 19.5, None, None, "3 of the 6 points that are needed"),
            Comparison("avif", "published:vtm", "psnr", 29.0, 37.5, 17.5, -0.75, "it begins late"),
            Comparison("jpeg", "avif", "psnr", 28.5, 37.5, 88.7, -3.85),
        ),
        failures=(Failure("two", "NotAnImageError", f"{HOSTILE} is not a picture", "avif", 50.0),),
        samples=samples,
        options={},
    )


@pytest.fixture(scope="session")
def views() -> list[PictureView]:
    """The two pictures through every codec at its middle quality."""
    return [_view(name) for name in PICTURES]


def _code(name: str, original: Image.Image, quality: float) -> tuple[int, Image.Image]:
    """The bytes of the file, and what comes back."""
    if name == "s2lic":
        data = codec().encode(original, quality)
        return len(data), codec().decode(data)
    buffer = io.BytesIO()
    original.save(buffer, format=name.upper(), quality=int(quality))
    return len(buffer.getvalue()), Image.open(buffer).convert("RGB")


def _samples(name: str) -> list[Sample]:
    found = []
    for quality in QUALITIES[name]:
        for which in PICTURES:
            original = picture(which)
            size, decoded = _code(name, original, quality)
            bpp, level = 8 * size / (original.width * original.height), psnr(original, decoded)
            similarity = None if which == "shapes" else 1 - 10 ** (-level / 20)
            file = f"files/{name}/{which}-q{quality:g}"
            found.append(
                Sample(name, quality, which, size, bpp, level, similarity, None, 0.25, 0.5, 1.0, None, file, "here")
            )
    return found


def _curve(name: str, samples: tuple[Sample, ...]) -> RDCurve:
    points = []
    for quality in QUALITIES[name]:
        mine = [sample for sample in samples if (sample.codec, sample.quality) == (name, quality)]
        rate, level = (fmean(getattr(sample, key) for sample in mine) for key in ("bpp", "psnr"))
        points.append(Point(rate, level, 1 - 10 ** (-level / 20), quality))
    return RDCurve(name, LABELS[name], "a test", tuple(points), PICTURES)


def _view(which: str) -> PictureView:
    original = picture(which)
    versions = [Version("Original", "Original", middle(original))]
    for name in ("s2lic", "avif", "jpeg"):
        size, decoded = _code(name, original, 50.0)
        told = f"{8 * size / (original.width * original.height):.3f} bpp, {psnr(original, decoded):.2f} dB"
        versions.append(Version(LABELS[name], f"{LABELS[name]}: {told}", middle(decoded)))
    return PictureView(which, *crop_size(original), tuple(versions))
