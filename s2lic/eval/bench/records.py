"""The cases of the benchmark, their outcomes, and the record of all, as data for JSON."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from s2lic.eval.page import machine, today

STAGES = ("transform", "entropy nets", "search", "rANS", "container", "rest")


@dataclass(frozen=True)
class BenchCase:
    """One codec on `batch` copies of a square picture. `limit_s` limits the whole process, including its start."""

    codec: str
    side: int
    threads: int
    repeats: int
    limit_s: float
    device: str = "cpu"
    batch: int = 1

    @property
    def pixels(self) -> int:
        """Pixels of one picture."""
        return self.side**2

    @property
    def label(self) -> str:
        """The codec, with its batch size and device if they are not the defaults."""
        together = f", {self.batch} at once" if self.batch > 1 else ""
        return f"{self.codec}{together}" + (f" on {self.device}" if self.device != "cpu" else "")


@dataclass(frozen=True)
class Timing:
    """Median seconds over the runs: of the whole call for a batch, and of each stage."""

    seconds: float
    stages: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class BenchResult:
    """The measurements of a case.

    `coded_bytes` is the size of one file, `rest_bytes` the memory in use before the first picture, and `peak_bytes` the
    peak.
    """

    encode: Timing
    decode: Timing
    runs: int
    coded_bytes: int
    rest_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class BenchOutcome:
    """A case with its measurement, or with the reason why there is none."""

    case: BenchCase
    measured: BenchResult | None
    problem: str = ""


BUSY = 0.5


@dataclass(frozen=True)
class BenchRecord:
    """All outcomes, with command, machine and date. `load` is the load average at the start."""

    date: str
    command: str
    machine: str
    processors: int
    load: float
    outcomes: tuple[BenchOutcome, ...]

    @property
    def busy(self) -> bool:
        """Whether other work took half a processor or more, so that times are too long."""
        return self.load >= BUSY

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "exponents": [_law(*found) for found in series(self.outcomes).items()]}


def record(outcomes: list[BenchOutcome], command: str, load: float) -> BenchRecord:
    """The record of outcomes, with date and machine."""
    return BenchRecord(today(), command, machine(), os.cpu_count() or 1, load, tuple(outcomes))


def _law(of: tuple[str, int], outcomes: list[BenchOutcome]) -> dict[str, Any]:
    encode, decode = exponents(outcomes)
    return {"codec": of[0], "threads": of[1], "encode": encode, "decode": decode}


def exponent(outcomes: Iterable[BenchOutcome], cost: Callable[[BenchResult], float]) -> float | None:
    """The slope of log cost over log pixels by least squares, 1 for proportional cost; None below two sizes."""
    rows = [(o.case.pixels, cost(o.measured)) for o in outcomes if o.measured is not None]
    if len({pixels for pixels, _ in rows}) < 2:
        return None
    pixels, costs = np.log(np.array(rows)).T
    return float(np.polyfit(pixels, costs, 1)[0])


def series(outcomes: Iterable[BenchOutcome]) -> dict[tuple[str, int], list[BenchOutcome]]:
    """Outcomes grouped by codec and threads."""
    found: dict[tuple[str, int], list[BenchOutcome]] = {}
    for outcome in outcomes:
        found.setdefault((outcome.case.codec, outcome.case.threads), []).append(outcome)
    return found


def exponents(outcomes: Sequence[BenchOutcome]) -> tuple[float | None, float | None]:
    """The exponents of encode and decode seconds over pixels."""
    return exponent(outcomes, lambda m: m.encode.seconds), exponent(outcomes, lambda m: m.decode.seconds)
