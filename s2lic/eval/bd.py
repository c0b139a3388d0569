"""Bjontegaard differences between rate-distortion curves, and when they are valid.

Curves are monotone cubic interpolations (pchip) of log rate over the metric. A BD-rate is valid only for at least six
points that rise strictly and cover the interval of the metric, or as much of it as the baseline covers. A measured
baseline needs six points too. A curve that covers less is not comparable: the result has the reason, and the difference
over the part that both curves cover. Published curves are compared over the part of the interval that they cover. The
result always names the interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from s2lic.errors import ExtraMissingError
from s2lic.eval.metrics import MS_SSIM_SIDE, SSIMULACRA2_SIDE
from s2lic.eval.records import MS_SSIM, PSNR, SSIMULACRA2, Comparison, Point, RDCurve

POINTS_MIN = 6
# The reason why measured points may lack a metric.
WHY_NONE = {
    MS_SSIM: f", for which every picture needs {MS_SSIM_SIDE} pixels a side",
    SSIMULACRA2: f", for which every picture needs {SSIMULACRA2_SIDE} pixels a side",
}


@dataclass(frozen=True)
class Metric:
    """A distortion metric, and the interval [low, high] over which curves are compared.

    `key` is the attribute of a point. `published` says whether published curves have this metric.
    """

    name: str
    label: str
    key: str
    unit: str
    low: float
    high: float
    published: bool = True

    def of(self, point: Point) -> float:
        """The value of a point; NaN if it was not measured."""
        level: float | None = getattr(point, self.key)
        return math.nan if level is None else level


# VTM's MS-SSIM runs from 10.9 to 19.5 dB where its PSNR runs from 28.5 to 37.5; published WebP begins at 11.3.
METRICS = (
    Metric(PSNR, "PSNR", "psnr", "dB", 28.5, 37.5),
    Metric(MS_SSIM, "MS-SSIM", "msssim_db", "dB", 11.5, 19.5),
    Metric(SSIMULACRA2, "SSIMULACRA2", "ssimulacra2", "points", 30.0, 75.0, published=False),
)


def intervals() -> str:
    """The intervals of all metrics, in words."""
    return ", ".join(f"{metric.low:g} to {metric.high:g} {metric.unit} of {metric.label}" for metric in METRICS)


def compare(curve: RDCurve, baseline: RDCurve, metric: Metric) -> Comparison:
    """The differences in rate and in quality between two curves, or the reason for none. Raises ExtraMissingError."""
    low, high = _common(metric, baseline, curve if curve.published else baseline)
    if reason := _fault(baseline, metric) or ("" if baseline.published else _too_few(baseline)):
        return not_comparable(curve, baseline, metric, f"the baseline has {reason}")
    if reason := _fault(curve, metric) or _too_few(curve):
        return not_comparable(curve, baseline, metric, reason)
    if reason := _uncovered(curve, metric, low, high):
        low, high = _common(metric, baseline, curve)
        if low >= high:
            return not_comparable(curve, baseline, metric, reason)
    rate = _difference(_log_rate(curve, metric), _log_rate(baseline, metric), low, high)
    gain = _gain(curve, baseline, metric, low, high)
    return Comparison(curve.codec, baseline.codec, metric.name, low, high, 100 * math.expm1(rate), gain, reason)


def bpp_at(curve: RDCurve, metric: Metric, dbs: Sequence[float]) -> list[float | None]:
    """Bits per pixel at each level; None beyond the ends of the curve, or if it does not rise strictly."""
    if _fault(curve, metric):
        return [None] * len(dbs)
    log_rate, (first, last) = _log_rate(curve, metric), _ends(curve, metric)
    return [math.exp(log_rate(db)) if first <= db <= last else None for db in dbs]


def first_fall(curve: RDCurve, metric: Metric) -> str:
    """The first two points between which rate or quality does not rise, in words; empty if there are none."""
    for before, after in pairwise(curve.points):
        if not (after.bpp > before.bpp and metric.of(after) > metric.of(before)):
            return (
                f"from {before.bpp:.4f} bpp, {metric.of(before):.3f} {metric.unit} to {after.bpp:.4f} bpp, "
                f"{metric.of(after):.3f} {metric.unit}"
            )
    return ""


def not_comparable(curve: RDCurve, baseline: RDCurve, metric: Metric, reason: str) -> Comparison:
    """A comparison without result, with the reason."""
    return Comparison(curve.codec, baseline.codec, metric.name, metric.low, metric.high, None, None, reason)


def _common(metric: Metric, *curves: RDCurve) -> tuple[float, float]:
    """The part of the metric's interval that all curves cover."""
    ends = [_ends(curve, metric) for curve in curves if curve.points]
    return max([metric.low, *(low for low, _ in ends)]), min([metric.high, *(high for _, high in ends)])


def _ends(curve: RDCurve, metric: Metric) -> tuple[float, float]:
    return metric.of(curve.points[0]), metric.of(curve.points[-1])


def _fault(curve: RDCurve, metric: Metric) -> str:
    """The reason why the points are not a valid curve; empty if they are."""
    if len(curve.points) < 2:
        return _too_few(curve)
    if any(math.isnan(metric.of(point)) for point in curve.points):
        return f"no {metric.label}" if curve.published else f"no {metric.label}{WHY_NONE.get(metric.name, '')}"
    if any(math.isinf(metric.of(point)) for point in curve.points):
        return f"points without loss, of infinite {metric.label}"
    fall = first_fall(curve, metric)
    return f"points that do not rise, {fall}" if fall else ""


def _too_few(curve: RDCurve) -> str:
    count = len(curve.points)
    return f"{count} of the {POINTS_MIN} points that are needed" if count < POINTS_MIN else ""


def _uncovered(curve: RDCurve, metric: Metric, low: float, high: float) -> str:
    first, last = _ends(curve, metric)
    if first <= low < high <= last:
        return ""
    points = f"its points run from {first:.2f} to {last:.2f} {metric.unit}"
    return f"{points} and do not cover all of {low:.4g} to {high:.4g} {metric.unit}"


def _gain(curve: RDCurve, baseline: RDCurve, metric: Metric, low: float, high: float) -> float | None:
    """The mean difference in quality over the rates that both curves have within the interval."""
    log_rate = _log_rate(baseline, metric)
    begin = max(float(log_rate(low)), math.log(curve.points[0].bpp))
    end = min(float(log_rate(high)), math.log(curve.points[-1].bpp))
    return _difference(_level(curve, metric), _level(baseline, metric), begin, end) if begin < end else None


def _difference(ours: Any, theirs: Any, low: float, high: float) -> float:
    """The mean of ours - theirs over the interval."""
    return float(ours.integrate(low, high) - theirs.integrate(low, high)) / (high - low)


def _log_rate(curve: RDCurve, metric: Metric) -> Any:
    return _pchip([metric.of(point) for point in curve.points], np.log([point.bpp for point in curve.points]))


def _level(curve: RDCurve, metric: Metric) -> Any:
    return _pchip(np.log([point.bpp for point in curve.points]), [metric.of(point) for point in curve.points])


def _pchip(x: Any, y: Any) -> Any:
    try:
        from scipy.interpolate import PchipInterpolator  # type: ignore[import-untyped]
    except ImportError as error:
        raise ExtraMissingError("curves need scipy, which is not installed: pip install 's2lic[eval]'") from error
    return PchipInterpolator(x, y)
