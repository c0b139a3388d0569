"""An evaluation as plain data for the scripts of the report."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from s2lic.eval.bd import METRICS, Metric
from s2lic.eval.html.views import CROP, PictureView
from s2lic.eval.metrics import decibels
from s2lic.eval.records import (
    PUBLISHED,
    Comparison,
    Evaluation,
    Point,
    RDCurve,
    Sample,
    without_infinity,
)
from s2lic.eval.styles import INK, Style, first, label, styles

DASH = "6 4"
LOOK = (
    f"The middle {CROP[0]} x {CROP[1]} pixels at most, without further loss; rates and dB are of the whole picture. "
    "Every codec is at its quality of about the same rate."
)


def page_data(evaluation: Evaluation, views: Sequence[PictureView]) -> dict[str, Any]:
    """All data of the page. None means not measured, "inf" is the PSNR of a lossless picture."""
    curves = (*evaluation.curves, *evaluation.published)
    labels, looks = {curve.codec: label(curve, curves) for curve in curves}, styles(curves)
    found = {
        "facts": f"{evaluation.date}. {evaluation.machine}. {_pictures(evaluation)}.",
        "command": evaluation.command,
        "metrics": [_metric(metric) for metric in METRICS],
        "curves": [_curve(curve, curves, looks[curve.codec]) for curve in curves],
        "comparisons": [_comparison(row, labels) for row in evaluation.comparisons],
        "samples": [_sample(sample, labels) for sample in evaluation.samples],
        "failures": [str(row) for row in evaluation.failures] or ["Every picture was measured."],
        "views": [_view(view) for view in views],
        "look": LOOK,
    }
    return without_infinity(found, "inf")  # type: ignore[no-any-return]


def title(evaluation: Evaluation) -> str:
    """The title of the page."""
    return f"s2lic eval: {_pictures(evaluation)}"


def _pictures(evaluation: Evaluation) -> str:
    count = len(evaluation.pictures)
    what = f"{count} picture{'s' * (count != 1)}"
    return f"Kodak, {what}" if evaluation.kodak else what


def _metric(metric: Metric) -> dict[str, Any]:
    """A metric. `key` is the attribute of a point, [low, high] the interval of a BD-rate."""
    facts = {"metric": metric.name, "key": metric.key, "name": metric.label, "label": f"{metric.label} {metric.unit}"}
    return {**facts, "unit": metric.unit, "low": metric.low, "high": metric.high}


def _curve(curve: RDCurve, others: tuple[RDCurve, ...], look: Style) -> dict[str, Any]:
    return {
        "codec": curve.codec,
        "label": label(curve, others),
        "source": curve.source,
        "published": curve.published,
        "shown": first(curve, others),
        "colour": "var(--ink)" if look.colour == INK else look.colour,
        "marker": look.marker,
        "dash": DASH if curve.published else "none",
        "points": [_point(point) for point in curve.points],
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "quality": point.quality,
        "bpp": point.bpp,
        **{metric.key: getattr(point, metric.key) for metric in METRICS},
    }


def _comparison(row: Comparison, labels: dict[str, str]) -> dict[str, Any]:
    """A comparison with labels. The baseline may be a published curve that is not shown."""
    baseline = labels.get(row.baseline, row.baseline.removeprefix(PUBLISHED))
    return {**asdict(row), "codec": labels[row.codec], "baseline": baseline}


def _sample(sample: Sample, labels: dict[str, str]) -> dict[str, Any]:
    similarity = None if sample.msssim is None else decibels(sample.msssim)
    return {**asdict(sample), "codec": labels.get(sample.codec, sample.codec), "msssim_db": similarity}


def _view(view: PictureView) -> dict[str, Any]:
    versions = [
        {
            "name": version.name,
            "caption": version.caption,
            "source": f"data:image/webp;base64,{base64.b64encode(version.webp).decode()}",
        }
        for version in view.versions
    ]
    return {"picture": view.picture, "width": view.width, "height": view.height, "versions": versions}
