"""The results of an evaluation, and the folder that stores them.

`save` writes the folder, and `load` reads it:

    evaluation.json       the `Evaluation` without its samples
    samples.csv           the samples: one row per picture, codec and quality
    results/CODEC.json    a measured curve in the format of CompressAI's results, for its plotting tools
    files/CODEC/...       the encoded files; `Sample.file` is the path relative to the folder

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
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from s2lic.errors import EvaluationError
from s2lic.eval.metrics import decibels
from s2lic.files import make_folder, read_bytes, write_atomically

RECORD, SAMPLES, RESULTS, FILES = "evaluation.json", "samples.csv", "results", "files"
PSNR, MS_SSIM, SSIMULACRA2 = "psnr", "ms-ssim", "ssimulacra2"
PUBLISHED = "published:"  # the prefix of the names of published curves


@dataclass(frozen=True)
class EvalPicture:
    """An original. `name` is unique in an evaluation, `sha256` is the hash of the file at `path`."""

    name: str
    path: str
    sha256: str
    width: int
    height: int


@dataclass(frozen=True)
class Sample:
    """The measurements of one picture, one codec and one quality, made on the file at `file`."""

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
    """Means over pictures of per-picture values. Times are medians, memory is the maximum.

    `quality` is on the codec's own scale (a QP for VTM). Published points have none.
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
    """The rate-distortion curve of a codec, in order of rate.

    Args:
        codec: Its name in an evaluation. Names of published curves start with `PUBLISHED`.
        label: Its name in a legend.
        source: Versions and settings of a measured curve, the publication of a published one.
        points: The points.
        pictures: The pictures that the means are over; empty for published curves.
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
    """The comparison of a curve with a baseline by one metric (`psnr`, `ms-ssim` or `ssimulacra2`), over [low, high].

    `rate_percent` is the mean difference in rate at equal quality (less is better). `gain_db` is the mean difference in
    quality at equal rate (more is better). A non-empty `reason` says why the curves are not comparable. The figures are
    then those of the part that both curves cover, or None.
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
    """A failure. `error` is the type of the exception. Without `codec`, the picture could not be read."""

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
    """All results of `s2lic eval`.

    `curves` are the measured ones. `published` is empty unless the pictures are the 24 of Kodak. `options` has the
    options of each codec, `kinds` the row of the table of codecs where its name is another. `machine` names all
    machines that samples come from. `command` contains no folder names.
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
    kinds: dict[str, str] = field(default_factory=dict)

    def curve(self, codec: str) -> RDCurve:
        """The curve of that name, measured or published. Raises KeyError."""
        return {curve.codec: curve for curve in (*self.curves, *self.published)}[codec]


def save(evaluation: Evaluation, folder: Path) -> None:
    """Writes the folder. Raises OutputPlaceError and OutputUnwritableError."""
    make_folder(folder / RESULTS)
    _write(folder / RECORD, _json(record(evaluation)))
    _write(folder / SAMPLES, _csv(evaluation.samples))
    for curve in evaluation.curves:
        _write(folder / RESULTS / f"{curve.codec}.json", _json(to_compressai(curve)))


def record(evaluation: Evaluation) -> dict[str, Any]:
    """Everything except the samples, as data for JSON. Infinite values become None."""
    found = {name: value for name, value in asdict(evaluation).items() if name != "samples"}
    return without_infinity(found)  # type: ignore[no-any-return]


def load(folder: Path) -> Evaluation:
    """Reads a folder that `save` wrote. Raises InputMissingError, or EvaluationError if it is damaged."""
    head, samples = read_bytes(folder / RECORD), read_bytes(folder / SAMPLES)
    try:
        return _evaluation(json.loads(head), samples.decode())
    except (ValueError, TypeError, KeyError) as error:
        raise EvaluationError(f"{folder} holds no readable evaluation: {error}; run s2lic eval again") from error


def to_compressai(curve: RDCurve) -> dict[str, Any]:
    """The curve in CompressAI's format: one list per quantity, in the order of the points."""
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
    """Replaces infinity, which JSON lacks. The PSNR of identical pictures is infinite."""
    if isinstance(value, dict):
        return {key: without_infinity(item, instead) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_infinity(item, instead) for item in value]
    return instead if value == math.inf else value


def _write(path: Path, data: bytes) -> None:
    write_atomically(path, data, force=True)
