"""Rate-distortion points of written files, and the comparing of curves."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic.errors import ExtraMissingError
from s2lic.eval.metrics import psnr
from s2lic.eval.published import curve
from s2lic.eval.rd import CurveError, Point, bd_rate, bpp_at, measure


class JpegCoder:
    """JPEG with the codec's two verbs."""

    def encode(self, image: Image.Image, quality: float = 50.0) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, format="JPEG", quality=int(quality))
        return buffer.getvalue()

    def decode(self, data: bytes) -> Image.Image:
        return Image.open(io.BytesIO(data))


@dataclass(frozen=True)
class Dot:
    bpp: float
    psnr: float


def straight(scale: float = 1.0, count: int = 7, low: float = 28.0, high: float = 38.0) -> list[Dot]:
    """log bpp as a straight line over dB, on which any interpolation is exact."""
    return [Dot(scale * 2 ** ((db - 28) / 4), db) for db in np.linspace(low, high, count).tolist()]


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = []
    for name, side in (("one", 176), ("two", 200)):
        pixels = np.add.outer(np.arange(side), np.arange(170))[..., None] * [1, 2, 3] % 256
        paths.append(tmp_path / f"{name}.png")
        Image.fromarray(pixels.astype(np.uint8)).save(paths[-1])
    return paths


def test_a_point_is_the_mean_of_what_each_written_file_gives(pictures: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "files"
    points = measure(JpegCoder(), pictures, [20, 80], folder)
    assert [point.quality for point in points] == [20, 80]
    rates, levels = [], []
    for path in pictures:
        file = folder / f"{path.stem}-q80.s2lic"
        with Image.open(path) as image, Image.open(file) as decoded:
            rates.append(8 * file.stat().st_size / (image.width * image.height))
            levels.append(psnr(image, decoded))
    assert points[1].bpp == pytest.approx(np.mean(rates))
    assert points[1].psnr == pytest.approx(np.mean(levels))
    assert points[1].encode_s > 0
    assert points[1].decode_s > 0


def test_ms_ssim_is_none_as_soon_as_one_picture_is_too_small(pictures: list[Path], tmp_path: Path) -> None:
    (whole,) = measure(JpegCoder(), pictures, [50], tmp_path)
    assert whole.msssim is not None
    Image.new("RGB", (40, 40)).save(tmp_path / "small.png")
    (mixed,) = measure(JpegCoder(), [*pictures, tmp_path / "small.png"], [50], tmp_path)
    assert mixed.msssim is None


def test_rates_between_points_lie_on_the_line() -> None:
    assert bpp_at(straight(), [28.5, 33.3]) == pytest.approx([2 ** (0.5 / 4), 2 ** (5.3 / 4)])


def test_rates_beyond_the_ends_are_none() -> None:
    assert bpp_at(straight(), [27.9, 38.0, 38.1]) == [None, pytest.approx(2**2.5), None]


@pytest.mark.parametrize(
    "points",
    [[Dot(0.1, 30), Dot(0.2, 30)], [Dot(0.2, 30), Dot(0.2, 31)], [Dot(0.1, 31), Dot(0.2, 30)], [Dot(0.1, 30)]],
    ids=["same dB", "same rate", "falling dB", "one point"],
)
def test_a_curve_that_does_not_rise_is_refused_by_name(points: Sequence[Dot]) -> None:
    with pytest.raises(CurveError):
        bpp_at(points, [30.0])


def test_the_rates_of_webp_are_those_the_goal_was_set_by() -> None:
    assert bpp_at(curve("webp"), [28.5, 30, 32, 34]) == pytest.approx([0.25, 0.37, 0.57, 0.83], abs=0.005)


def test_a_curve_of_four_fifths_the_rate_has_a_bd_rate_of_minus_20_percent() -> None:
    assert bd_rate(straight(0.8), straight(count=4)).percent == pytest.approx(-20)


@pytest.mark.parametrize(
    ("codec", "percent"),
    [
        ("av1", 17.6),
        ("bpg", 27.3),
        ("bmshj2018-hyperprior", 32.9),
        ("webp", 86.2),
        ("jpeg2000", 95.4),
        ("jpeg", 196.0),
    ],
)
def test_published_curves_have_the_bd_rates_of_the_protocol(codec: str, percent: float) -> None:
    assert bd_rate(curve(codec), curve("vtm")).percent == pytest.approx(percent, abs=0.05)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (straight(count=5), "5 points"),
        (straight(low=28.6), "28.60 to 38.00 dB does not cover"),
        (straight(high=37.4), "28.00 to 37.40 dB does not cover"),
        ([*straight(), Dot(9.0, 38.0)], "not strictly monotone"),
    ],
    ids=["few", "high start", "low end", "flat"],
)
def test_what_is_not_comparable_says_why(points: Sequence[Dot], reason: str) -> None:
    found = bd_rate(points, straight())
    assert found.percent is None
    assert reason in found.reason
    assert str(found).startswith("not comparable: ")


def test_an_anchor_that_does_not_cover_the_interval_is_a_fault() -> None:
    with pytest.raises(CurveError, match="anchor"):
        bd_rate(straight(), straight(high=37.0))


def test_curves_name_the_extra_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.interpolate", None)
    with pytest.raises(ExtraMissingError, match=r"s2lic\[eval\]"):
        bpp_at(straight(), [30.0])


def test_a_measured_point_is_a_point_of_a_curve() -> None:
    points = [Point(q, 0.1 * q, 20 + q, None, 0, 0) for q in (10.0, 15.0)]
    assert bpp_at(points, [30.0, 35.0]) == pytest.approx([1.0, 1.5])
