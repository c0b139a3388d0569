"""The comparing of curves: what counts, and what the published curves give."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import bjontegaard
import numpy as np
import pytest

from s2lic.errors import ExtraMissingError
from s2lic.eval.bd import METRICS, Metric, bpp_at, compare, first_fall
from s2lic.eval.published import curve
from s2lic.eval.records import Point, RDCurve

PSNR, MS_SSIM, _ = METRICS


def straight(scale: float = 1.0, count: int = 7, low: float = 28.0, high: float = 38.0) -> RDCurve:
    """log bpp as a straight line over dB, on which any interpolation is exact.

    MS-SSIM is 17 dB less, and SSIMULACRA2 has 5 points per dB.
    """
    levels = np.linspace(low, high, count).tolist()
    points = [Point(scale * 2 ** ((db - 28) / 4), db, 1 - 10 ** ((17 - db) / 10), 5 * (db - 23)) for db in levels]
    return RDCurve("line", "a line", "a formula", tuple(points), ("one",))


def of(*points: Point) -> RDCurve:
    return replace(straight(), points=points)


def test_rates_between_points_lie_on_the_line() -> None:
    assert bpp_at(straight(), PSNR, [28.5, 33.3]) == pytest.approx([2 ** (0.5 / 4), 2 ** (5.3 / 4)])
    assert bpp_at(straight(), MS_SSIM, [16.3]) == pytest.approx([2 ** (5.3 / 4)])


def test_rates_beyond_the_ends_are_none() -> None:
    assert bpp_at(straight(), PSNR, [27.9, 38.0, 38.1]) == [None, pytest.approx(2**2.5), None]


def test_the_rates_of_webp_are_those_the_goal_was_set_by() -> None:
    assert bpp_at(curve("webp"), PSNR, [28.5, 30, 32, 34]) == pytest.approx([0.25, 0.37, 0.57, 0.83], abs=0.005)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_four_fifths_of_the_rate_are_minus_20_percent_and_the_slope_times_their_logarithm_in_db(metric: Metric) -> None:
    found = compare(straight(0.8), straight(count=6), metric)
    assert found.rate_percent == pytest.approx(-20)
    assert found.gain_db == pytest.approx(4 * math.log2(1 / 0.8) * (5 if metric.unit == "points" else 1))
    assert (found.low, found.high, found.reason) == (metric.low, metric.high, "")


@pytest.mark.parametrize(
    ("codec", "percent"),
    [
        ("hpcm-large", -20.1),
        ("hpcm-base", -16.2),
        ("lalic", -15.4),
        ("s2lic-paper", -9.9),
        ("elic2022", -7.0),
        ("cheng2020-attn", 5.5),
        ("av1", 17.6),
        ("mbt2018-mean", 23.3),
        ("bpg", 27.3),
        ("hm", 27.5),
        ("bmshj2018-hyperprior", 32.9),
        ("webp", 86.2),
        ("jpeg2000", 95.4),
        ("jpeg", 196.0),
        ("vtm-9.1-strict", -1.5),
    ],
)
def test_published_curves_have_the_bd_rates_of_the_protocol(codec: str, percent: float) -> None:
    assert compare(curve(codec), curve("vtm"), PSNR).rate_percent == pytest.approx(percent, abs=0.1)


@pytest.mark.parametrize("codec", ["av1", "cheng2020-attn", "elic2022", "jpeg2000"])
def test_over_all_common_levels_the_figures_are_those_of_the_library_bjontegaard(codec: str) -> None:
    ours, vtm = curve(codec), curve("vtm")
    low, high = (pick(ours.points[i].psnr, vtm.points[i].psnr) for i, pick in ((0, max), (-1, min)))
    columns = [[getattr(p, name) for p in line.points] for line in (vtm, ours) for name in ("bpp", "psnr")]
    expected = bjontegaard.bd_rate(*columns, method="pchip", require_matching_points=False, min_overlap=0)
    assert compare(ours, vtm, replace(PSNR, low=low, high=high)).rate_percent == pytest.approx(expected)


def test_a_published_curve_is_compared_for_scale_over_what_it_covers() -> None:
    found = compare(curve("elic2022"), curve("vtm"), PSNR)
    assert (found.low, found.high) == (29.113, 37.5)


def test_a_baseline_that_ends_early_shortens_the_interval_and_it_is_told() -> None:
    found = compare(straight(), curve("cheng2020-attn"), PSNR)
    assert (found.low, found.high) == (28.5, 36.6218)
    assert found.rate_percent is not None


def test_db_are_compared_over_the_rates_that_both_have() -> None:
    """One curve begins at the other's rate of 30 dB; on parallel lines the gain does not depend on the interval."""
    found = compare(straight(2 ** (2 / 4)), straight(), PSNR)
    assert found.gain_db == pytest.approx(-2)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (straight(count=5), "5 of the 6 points that are needed"),
        (straight(low=37.6), "run from 37.60 to 38.00 dB and do not cover all of 28.5 to 37.5 dB"),
        (of(*straight().points, Point(9.0, 38.0)), "points that do not rise"),
        (of(*straight().points, Point(9.0, math.inf)), "points without loss, of infinite PSNR"),
        (of(), "0 of the 6 points that are needed"),
    ],
    ids=["few", "beyond", "flat", "lossless", "none"],
)
def test_what_is_not_comparable_says_why(points: RDCurve, reason: str) -> None:
    found = compare(points, straight(), PSNR)
    assert found.rate_percent is found.gain_db is None
    assert reason in found.reason


@pytest.mark.parametrize(("low", "high", "interval"), [(28.6, 38, (28.6, 37.5)), (28, 37.4, (28.5, 37.4))])
def test_a_curve_that_covers_too_little_is_told_over_what_both_cover(
    low: float, high: float, interval: tuple[float, float]
) -> None:
    found = compare(straight(0.8, low=low, high=high), straight(), PSNR)
    assert f"run from {low:.2f} to {high:.2f} dB and do not cover all of 28.5 to 37.5 dB" in found.reason
    assert (found.low, found.high) == interval
    assert found.rate_percent == pytest.approx(-20)
    assert found.gain_db is not None


def test_a_baseline_that_is_no_curve_says_so() -> None:
    assert compare(straight(), of(), PSNR).reason == "the baseline has 0 of the 6 points that are needed"
    assert compare(straight(), straight(count=5), PSNR).reason.startswith("the baseline has 5 of the 6")


def test_a_curve_without_ms_ssim_is_compared_by_psnr_alone() -> None:
    assert compare(curve("lalic"), curve("vtm"), PSNR).rate_percent is not None
    assert compare(curve("lalic"), curve("vtm"), MS_SSIM).reason == "no MS-SSIM"
    small = of(*(replace(point, msssim=None) for point in straight().points))
    assert compare(small, straight(), MS_SSIM).reason == "no MS-SSIM, for which every picture needs 161 pixels a side"


@pytest.mark.parametrize("codec", ["hm", "bpg", "av1", "webp", "jpeg", "jpeg2000", "cheng2020-attn", "mbt2018-mean"])
def test_published_curves_cover_the_interval_of_ms_ssim(codec: str) -> None:
    found = compare(replace(curve(codec), codec="as measured"), curve("vtm"), MS_SSIM)
    assert (found.low, found.high) == (MS_SSIM.low, MS_SSIM.high)
    assert found.rate_percent is not None


@pytest.mark.parametrize(
    "points",
    [[Point(0.1, 30), Point(0.2, 30)], [Point(0.2, 30), Point(0.2, 31)], [Point(0.1, 31), Point(0.2, 30)]],
    ids=["same dB", "same rate", "falling dB"],
)
def test_a_curve_that_does_not_rise_has_no_rates_and_says_where(points: list[Point]) -> None:
    assert first_fall(of(*points), PSNR).startswith(f"from {points[0].bpp:.4f} bpp")
    assert bpp_at(of(*points), PSNR, [30.0]) == [None]


def test_curves_name_the_package_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.interpolate", None)
    with pytest.raises(ExtraMissingError, match=r"pip install 's2lic\[eval\]'"):
        bpp_at(straight(), PSNR, [30.0])
