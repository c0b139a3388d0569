"""Computes curves from samples, and comparisons from curves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from statistics import fmean, median

from s2lic.eval import published
from s2lic.eval.bd import METRICS, Metric, compare, not_comparable
from s2lic.eval.records import PUBLISHED, Comparison, Point, RDCurve, Sample


def mean_curve(codec: str, label: str, source: str, samples: Sequence[Sample], qualities: Sequence[float]) -> RDCurve:
    """The curve of means over the pictures that the codec finished at every quality, in order of rate."""
    done: dict[str, set[float]] = {}
    for sample in samples:
        done.setdefault(sample.picture, set()).add(sample.quality)
    pictures = tuple(name for name, found in done.items() if found >= set(qualities))
    counted = [sample for sample in samples if sample.picture in pictures]
    points = [_mean([sample for sample in counted if sample.quality == quality]) for quality in qualities if counted]
    return RDCurve(codec, label, source, tuple(sorted(points, key=lambda point: point.bpp)), pictures)


def known_baseline(name: str, measured: Iterable[str]) -> str:
    """The name of a baseline in an evaluation: a measured codec, or else a published curve.

    Raises UsageError.
    """
    if name in measured:
        return name
    return published.curve(name.removeprefix(PUBLISHED)).codec


def usual_baselines(measured: Sequence[str], kodak: bool) -> list[str]:
    """The default baselines: published VTM on Kodak, and the second measured codec."""
    return [*([f"{PUBLISHED}vtm"] if kodak else []), *measured[1:2]]


def comparisons(
    measured: Sequence[RDCurve], baselines: Iterable[str], pictures: Set[str], kodak: bool
) -> list[Comparison]:
    """Compares every measured curve with every baseline; on Kodak, every published curve too."""
    known = list(published.curves().values())
    by_name = {curve.codec: curve for curve in (*measured, *known)}
    rows = [*measured, *(known if kodak else [])]
    pairs = [(curve, by_name[name]) for name in baselines for curve in rows if curve.codec != name]
    return [
        _compare(curve, baseline, metric, pictures, kodak)
        for curve, baseline in pairs
        for metric in METRICS
        if metric.published or not (curve.published or baseline.published)
    ]


def _compare(curve: RDCurve, baseline: RDCurve, metric: Metric, pictures: Set[str], kodak: bool) -> Comparison:
    if baseline.published and not kodak:
        reason = "published points hold for the 24 Kodak pictures only; take a measured codec as baseline"
        return not_comparable(curve, baseline, metric, reason)
    ours, theirs = (pictures if line.published else set(line.pictures) for line in (curve, baseline))
    if ours != theirs:
        reason = f"it is over {len(ours)} pictures, and the baseline over {len(theirs)}, not all the same"
        return not_comparable(curve, baseline, metric, reason)
    return compare(curve, baseline, metric)


def _mean(samples: Sequence[Sample]) -> Point:
    return Point(
        bpp=fmean(sample.bpp for sample in samples),
        psnr=fmean(sample.psnr for sample in samples),
        msssim=_unless_none(fmean, [sample.msssim for sample in samples]),
        ssimulacra2=_unless_none(fmean, [sample.ssimulacra2 for sample in samples]),
        quality=samples[0].quality,
        encode_s=median(sample.encode_s for sample in samples),
        decode_s=median(sample.decode_s for sample in samples),
        encode_mib=_unless_none(max, [sample.encode_mib for sample in samples]),
        decode_mib=_unless_none(max, [sample.decode_mib for sample in samples]),
    )


def _unless_none(reduce: Callable[[Iterable[float]], float], values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return reduce(known) if len(known) == len(values) else None
