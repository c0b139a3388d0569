"""What an evaluation found, as frozen data, and its folder.

A folder that `save` wrote, and `load` reads back:

    evaluation.json       an `Evaluation` without its samples
    samples.csv           its samples: a row a picture, codec and quality
    results/CODEC.json    a measured curve in the shape of CompressAI's result files, for its plotting tools
    files/CODEC/...       the coded files; `Sample.file` is their path from the folder

Rates are bits per pixel of the written file, PSNR is in dB on 8-bit RGB, MS-SSIM lies in 0..1 (its dB are a property),
SSIMULACRA2 is in points up to 100. Times are seconds, memory is MiB beyond what the process held before. None: not
measured, or not defined.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from s2lic.errors import EvaluationError
from s2lic.eval.metrics import decibels
from s2lic.files import make_folder, read_bytes, write_atomically

RECORD, SAMPLES, RESULTS, FILES = "evaluation.json", "samples.csv", "results", "files"
PSNR, MS_SSIM, SSIMULACRA2 = "psnr", "ms-ssim", "ssimulacra2"
PUBLISHED = "published:"  # in front of a curve's name


@dataclass(frozen=True)
class EvalPicture:
    """An original: its name is unique in an evaluation, `sha256` is that of the file at `path`."""

    name: str
    path: str
    sha256: str
    width: int
    height: int


@dataclass(frozen=True)
class Sample:
    """One picture through one codec at one quality, measured on the file written to `file`, and on which machine."""

    codec: str
    quality: float
    picture: str
    size: int
    bpp: float
    psnr: float
    msssim: float | None
    ssimulacra2: float | None
    encode_s: float
    decode_s: float
    encode_mib: float | None
    decode_mib: float | None
    file: str
    machine: str


@dataclass(frozen=True)
class Point:
    """Means over pictures of per-picture values; times are medians, memory is the largest.

    `quality` is in the codec's own scale (a QP for VTM); published points have none.
    """

    bpp: float
    psnr: float
    msssim: float | None = None
    ssimulacra2: float | None = None
    quality: float | None = None
    encode_s: float | None = None
    decode_s: float | None = None
    encode_mib: float | None = None
    decode_mib: float | None = None

    @property
    def msssim_db(self) -> float | None:
        return None if self.msssim is None else decibels(self.msssim)


@dataclass(frozen=True)
class RDCurve:
    """One codec's points from the lowest rate up. `codec` names it in an evaluation, `label` in a legend.

    `source` says what was run (versions, settings) or where the figures were published. A published curve's
    name begins with `PUBLISHED`. `pictures` names those that the means are over; of a published curve, none.
    """

    codec: str
    label: str
    source: str
    points: tuple[Point, ...]
    pictures: tuple[str, ...] = ()

    @property
    def published(self) -> bool:
        return self.codec.startswith(PUBLISHED)


@dataclass(frozen=True)
class Comparison:
    """A curve against a baseline by one metric (`psnr`, `ms-ssim` or `ssimulacra2`), over [low, high] of it.

    `rate_percent` is the mean difference in rate at equal dB (less is better), `gain_db` the mean difference in dB
    at equal rate (more is better). They count where there is no `reason`. With one the curves are not comparable: the
    figures are then of the part that both curves cover, or None.
    """

    codec: str
    baseline: str
    metric: str
    low: float
    high: float
    rate_percent: float | None
    gain_db: float | None
    reason: str = ""


@dataclass(frozen=True)
class Failure:
    """What went wrong with one picture; without `codec` it never reached one. `error` names the exception's type."""

    picture: str
    error: str
    message: str
    codec: str | None = None
    quality: float | None = None

    def __str__(self) -> str:
        at = "" if self.quality is None else f" at {self.quality:g}"
        where = "" if self.codec is None else f", {self.codec}{at}"
        return f"{self.picture}{where}: {self.error}: {self.message}"


@dataclass(frozen=True)
class Evaluation:
    """All that `s2lic eval` found. `curves` are the measured ones, `published` those to set beside them.

    `published` is empty unless the pictures are the 24 of Kodak, which the figures hold for. `options` are what
    the codecs were opened with, by codec. `machine` names all that samples come from. `command` names no folder.
    """

    date: str
    command: str
    machine: str
    kodak: bool
    pictures: tuple[EvalPicture, ...]
    curves: tuple[RDCurve, ...]
    published: tuple[RDCurve, ...]
    comparisons: tuple[Comparison, ...]
    failures: tuple[Failure, ...]
    samples: tuple[Sample, ...]
    options: dict[str, dict[str, str]]

    def curve(self, codec: str) -> RDCurve:
        """The curve of that name, measured or published. Raises KeyError."""
        return {curve.codec: curve for curve in (*self.curves, *self.published)}[codec]


def save(evaluation: Evaluation, folder: Path) -> None:
    """Write the record, the samples and CompressAI's files. Raises OutputPlaceError and OutputUnwritableError."""
    make_folder(folder / RESULTS)
    _write(folder / RECORD, _json(record(evaluation)))
    _write(folder / SAMPLES, _csv(evaluation.samples))
    for curve in evaluation.curves:
        _write(folder / RESULTS / f"{curve.codec}.json", _json(to_compressai(curve)))


def record(evaluation: Evaluation) -> dict[str, Any]:
    """All but the samples, as JSON takes it: what is infinite is null."""
    found = {name: value for name, value in asdict(evaluation).items() if name != "samples"}
    return without_infinity(found)  # type: ignore[no-any-return]


def load(folder: Path) -> Evaluation:
    """The evaluation that `save` wrote. Raises InputMissingError, or EvaluationError if it is damaged."""
    head, samples = read_bytes(folder / RECORD), read_bytes(folder / SAMPLES)
    try:
        return _evaluation(json.loads(head), samples.decode())
    except (ValueError, TypeError, KeyError) as error:
        raise EvaluationError(f"{folder} holds no readable evaluation: {error}; run s2lic eval again") from error


def to_compressai(curve: RDCurve) -> dict[str, Any]:
    """The curve as CompressAI's benchmarks write theirs: a list a quantity, in the order of the points."""
    columns = {
        "q": "quality",
        "bpp": "bpp",
        "psnr-rgb": "psnr",
        "ms-ssim-rgb": "msssim",
        "encoding_time": "encode_s",
        "decoding_time": "decode_s",
    }
    found = {key: [getattr(point, name) for point in curve.points] for key, name in columns.items()}
    results = {key: values for key, values in found.items() if None not in values}
    return {"name": curve.label, "description": curve.source, "results": results}


def _evaluation(head: dict[str, Any], samples: str) -> Evaluation:
    rows = {"pictures": EvalPicture, "comparisons": Comparison, "failures": Failure}
    found: dict[str, Any] = {name: tuple(row(**values) for values in head[name]) for name, row in rows.items()}
    found |= {name: tuple(map(_curve, head[name])) for name in ("curves", "published")}
    found["samples"] = tuple(map(_sample, csv.DictReader(io.StringIO(samples))))
    return Evaluation(**{**head, **found})


def _curve(values: dict[str, Any]) -> RDCurve:
    points = [Point(**{**point, "psnr": _finite_or_infinite(point["psnr"])}) for point in values["points"]]
    return RDCurve(**{**values, "points": tuple(points), "pictures": tuple(values["pictures"])})


def _sample(cells: dict[str, str]) -> Sample:
    words = ("codec", "picture", "file", "machine")
    numbers = {name: float(cell) if cell else None for name, cell in cells.items() if name not in words}
    return Sample(**{**cells, **numbers, "size": int(cells["size"])})  # type: ignore[arg-type]


def _finite_or_infinite(value: float | None) -> float:
    return math.inf if value is None else value


def _csv(samples: Sequence[Sample]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Sample)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(sample) for sample in samples)
    return text.getvalue().encode()


def _json(value: object) -> bytes:
    return (json.dumps(without_infinity(value), indent=1, allow_nan=False) + "\n").encode()


def without_infinity(value: Any, instead: str | None = None) -> Any:
    """JSON has no infinity, which PSNR is where nothing was lost."""
    if isinstance(value, dict):
        return {key: without_infinity(item, instead) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_infinity(item, instead) for item in value]
    return instead if value == math.inf else value


def _write(path: Path, data: bytes) -> None:
    write_atomically(path, data, force=True)
