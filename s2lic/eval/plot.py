"""The picture of rate-distortion curves."""

from __future__ import annotations

import io
from collections.abc import Sequence

from s2lic.errors import ExtraMissingError
from s2lic.eval.published import curves
from s2lic.eval.rd import RatePoint

# Okabe and Ito's colours, told apart by any eye; markers and dashes tell the curves apart without them.
STYLES = {
    "vtm": ("#000000", "s", "-"),
    "av1": ("#009E73", "^", "--"),
    "bmshj2018-hyperprior": ("#CC79A7", "v", "-."),
    "webp": ("#E69F00", "D", "--"),
    "jpeg": ("#56B4E9", "x", ":"),
}
OURS = ("#D55E00", "o", "-")
BPP_MAX, PSNR_RANGE = 2.0, (26.0, 42.0)


def rd_plot(points: Sequence[RatePoint], label: str) -> bytes:
    """Our curve among the published ones on Kodak, as PNG. Raises ExtraMissingError."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ExtraMissingError("plots need matplotlib; install it with: pip install 's2lic[eval]'") from error
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.add_subplot()
    published = curves()
    lines = [(label, points, OURS, 2.2), *((name, published[name], style, 1.1) for name, style in STYLES.items())]
    for name, line, (colour, marker, dash), width in lines:
        rates, levels = [point.bpp for point in line], [point.psnr for point in line]
        axes.plot(rates, levels, dash, color=colour, marker=marker, markersize=4, linewidth=width, label=name)
    axes.set(xlim=(0, BPP_MAX), ylim=PSNR_RANGE, xlabel="bits a pixel", ylabel="PSNR dB (RGB)", title="Kodak")
    axes.grid(alpha=0.3)
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()
