"""The plot of rate-distortion curves: one panel per metric, labels at the ends of curves, low rates enlarged."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from s2lic.errors import ExtraMissingError
from s2lic.eval.bd import METRICS, Metric
from s2lic.eval.records import Evaluation, RDCurve
from s2lic.eval.styles import Style, first, label, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BPP_MAX = 2.0
# The enlarged rates: those of everyday photographs.
ZOOM = (0.15, 0.55)
INSET = (0.5, 0.06, 0.47, 0.35)
# The height of a panel and of its inset below the best curve, relative to the metric's interval.
DEPTH, INSET_DEPTH = 2.1, 0.72
LABEL_STEP = 0.045


def rd_plot(found: Evaluation) -> bytes:
    """`rd_figure` as PNG. Raises ExtraMissingError."""
    buffer = io.BytesIO()
    rd_figure(found).savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def rd_figure(found: Evaluation) -> Figure:
    """One panel per metric: measured curves solid, published ones dashed. Raises ExtraMissingError."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ExtraMissingError("plots need matplotlib, which is not installed: pip install 's2lic[eval]'") from error
    everything = (*found.published, *found.curves)
    curves = [curve for curve in everything if first(curve, everything)]
    looks = styles(curves)
    figure = Figure(figsize=(7 * len(METRICS), 6.2), layout="constrained")
    for axes, metric in zip(figure.subplots(1, len(METRICS)), METRICS, strict=True):
        _panel(axes, metric, [curve for curve in curves if _drawn(curve, metric)[0]], everything, looks)
    figure.suptitle(_title(found))
    return figure


def _title(found: Evaluation) -> str:
    count = len(found.pictures)
    what = f"{'Kodak, ' if found.kodak else ''}{count} picture{'s' * (count != 1)}, {found.date}"
    return f"{what}; dashed: published" if found.published else what


def _panel(
    axes: Axes,
    metric: Metric,
    curves: Sequence[RDCurve],
    everything: tuple[RDCurve, ...],
    looks: Mapping[str, Style],
) -> None:
    axes.set(xlim=(0, BPP_MAX), ylim=_range(metric, curves, (0, BPP_MAX), DEPTH))
    axes.set(xlabel="bits per pixel", ylabel=f"{metric.label}, {metric.unit} (RGB)")
    _draw(axes, metric, curves, looks)
    _name(axes, metric, curves, everything, looks)
    inset = axes.inset_axes(INSET, xlim=ZOOM, ylim=_range(metric, curves, ZOOM, INSET_DEPTH))
    inset.tick_params(labelsize=7)
    _draw(inset, metric, curves, looks)
    axes.indicate_inset_zoom(inset, edgecolor="#555555", alpha=0.3)


def _draw(axes: Axes, metric: Metric, curves: Sequence[RDCurve], looks: Mapping[str, Style]) -> None:
    for curve in curves:
        look = looks[curve.codec]
        axes.plot(
            *_drawn(curve, metric),
            linestyle=(0, (4, 2)) if curve.published else "-",
            color=look.colour,
            marker=look.marker,
            markersize=4.5,
            markerfacecolor="white" if curve.published else look.colour,
            linewidth=1.1 if curve.published else 2.0,
        )
    axes.grid(alpha=0.3)


def _drawn(curve: RDCurve, metric: Metric) -> tuple[list[float], list[float]]:
    """Rates and levels of the points that have both; empty if the curve starts beyond the axes."""
    found = [(point.bpp, metric.of(point)) for point in curve.points if math.isfinite(metric.of(point))]
    if found and found[0][0] > BPP_MAX:
        return [], []
    return [bpp for bpp, _ in found], [level for _, level in found]


def _range(metric: Metric, curves: Sequence[RDCurve], rates: tuple[float, float], depth: float) -> tuple[float, float]:
    """The range of levels between two rates, down to `depth` below the best, with a margin."""
    depth *= metric.high - metric.low
    levels = [level for curve in curves for level in _within(*_drawn(curve, metric), *rates)]
    low, high = (min(levels), max(levels)) if levels else (metric.low, metric.high)
    low = max(low, high - depth)
    air = max(0.04 * (high - low), 0.1)
    return low - air, high + air


def _within(rates: list[float], levels: list[float], begin: float, end: float) -> list[float]:
    """The levels between two rates: those of points, and where the curve crosses a rate."""
    edges = [float(np.interp(bpp, rates, levels)) for bpp in (begin, end) if rates[0] <= bpp <= rates[-1]]
    return edges + [level for bpp, level in zip(rates, levels, strict=True) if begin <= bpp <= end]


def _name(
    axes: Axes,
    metric: Metric,
    curves: Sequence[RDCurve],
    everything: tuple[RDCurve, ...],
    looks: Mapping[str, Style],
) -> None:
    """Labels right of the axes, as near as possible to the ends of the curves."""
    low, high = axes.get_ylim()
    ends = sorted((_end(*_drawn(curve, metric)), i) for i, curve in enumerate(curves))
    heights = spread(np.array([(level - low) / (high - low) for (level, _), _ in ends]), LABEL_STEP)
    for ((level, bpp), i), height in zip(ends, heights, strict=True):
        axes.annotate(
            label(curves[i], everything),
            xy=(bpp, level),
            xytext=(1.03, height),
            textcoords="axes fraction",
            va="center",
            weight="normal" if curves[i].published else "bold",
            arrowprops={"arrowstyle": "-", "color": looks[curves[i].codec].colour, "linestyle": ":", "alpha": 0.7},
        )


def _end(rates: list[float], levels: list[float]) -> tuple[float, float]:
    """(level, bpp) of the last point, or of where the curve leaves the axes."""
    bpp = min(rates[-1], BPP_MAX)
    return float(np.interp(bpp, rates, levels)), bpp


def spread(heights: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.float64]:
    """Moves ascending heights by the least squares until each is `step` above the one before."""
    from scipy.optimize import isotonic_regression  # type: ignore[import-untyped]

    steps = step * np.arange(len(heights))
    return np.asarray(isotonic_regression(heights - steps).x + steps) if len(heights) else heights
