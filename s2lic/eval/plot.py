"""The picture of rate-distortion curves: PSNR and MS-SSIM, with the low rates enlarged."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from s2lic.errors import ExtraMissingError
from s2lic.eval.bd import METRICS, Metric
from s2lic.eval.records import Curve, Evaluation
from s2lic.eval.styles import first, label, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BPP_MAX = 2.0
RANGES = {"psnr": (26.0, 42.0), "ms-ssim": (9.0, 23.0)}
ZOOMS = {"psnr": ((0.1, 0.5), (28.5, 33.5)), "ms-ssim": ((0.1, 0.5), (11.0, 16.5))}
INSET = (0.5, 0.06, 0.47, 0.42)


def rd_plot(found: Evaluation) -> bytes:
    """Measured curves drawn through, published ones dashed, as PNG. Raises ExtraMissingError."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ExtraMissingError("plots need matplotlib; install it with: pip install 's2lic[eval]'") from error
    curves = [curve for curve in (*found.published, *found.curves) if first(curve)]
    figure = Figure(figsize=(13, 6.2), layout="constrained")
    for axes, metric in zip(figure.subplots(1, 2), METRICS, strict=True):
        _panel(axes, metric, curves)
    what = "Kodak" if found.kodak else f"{len(found.pictures)} pictures"
    figure.suptitle(f"{what}, {found.date}")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _panel(axes: Axes, metric: Metric, curves: Sequence[Curve]) -> None:
    _draw(axes, metric, curves)
    axes.set(xlim=(0, BPP_MAX), ylim=RANGES[metric.name], xlabel="bits a pixel", ylabel=f"{metric.label} dB (RGB)")
    across, up = ZOOMS[metric.name]
    inset = axes.inset_axes(INSET, xlim=across, ylim=up)
    inset.tick_params(labelsize=7)
    _draw(inset, metric, curves)
    axes.indicate_inset_zoom(inset, edgecolor="#555555")


def _draw(axes: Axes, metric: Metric, curves: Sequence[Curve]) -> None:
    for curve in curves:
        look = style(curve.codec)
        axes.plot(
            [point.bpp for point in curve.points],
            [metric.of(point) for point in curve.points],
            "--" if curve.published else "-",
            color=look.colour,
            marker=look.marker,
            markersize=4,
            linewidth=2.2 if curve.codec == "s2lic" else 1.1,
            label=label(curve, tuple(curves)),
        )
    axes.grid(alpha=0.3)
