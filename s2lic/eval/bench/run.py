"""Runs the cases of the benchmark one after the other."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby, product
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from s2lic.errors import UsageError
from s2lic.eval.bench.page import save
from s2lic.eval.bench.records import BenchCase, BenchOutcome, BenchRecord, BenchResult, Timing, record
from s2lic.eval.bench.subjects import SUBJECTS
from s2lic.eval.codecs.base import need
from s2lic.files import make_folder
from s2lic.images.load import open_image
from s2lic.images.save import encode_image

OURS = "s2lic"  # the prefix of the names of our own codec


def cases(
    codecs: Sequence[str],
    sides: Sequence[int],
    threads: Sequence[int],
    repeats: int,
    limit_s: float,
    device: str = "cpu",
    batch: int = 1,
) -> list[BenchCase]:
    """Every codec at every number of threads, smallest pictures first. Device and batch apply to our codec only.

    Raises UsageError.
    """
    if unknown := [name for name in codecs if name not in SUBJECTS]:
        raise UsageError(f"no codec '{unknown[0]}' to measure; there are {', '.join(SUBJECTS)}")
    rows = product(codecs, sorted(set(threads)), sorted(set(sides)))
    own = {name: (device, batch) for name in codecs if name.startswith(OURS)}
    return [BenchCase(codec, side, count, repeats, limit_s, *own.get(codec, ())) for codec, count, side in rows]


def run(
    todo: Sequence[BenchCase], picture: Image.Image, model: str | None, budget_s: float = math.inf
) -> Iterator[BenchOutcome]:
    """Runs each case in a new process, so that none inherits memory or caches of another.

    Our codec comes first, then the fastest cases. A case is skipped, and its outcome says so, if it would exceed its
    limit or the remaining budget, judged by the next smaller picture of the same codec and threads.
    """
    begin = time.monotonic()
    rows = [list(row) for _, row in groupby(todo, lambda case: (case.codec, case.threads))]
    smaller: dict[tuple[str, int], BenchOutcome] = {}
    with tempfile.TemporaryDirectory() as folder:
        while rows := [row for row in rows if row]:
            row = min(rows, key=lambda row: (not row[0].codec.startswith(OURS), _least_seconds(row[0], smaller)))
            case, left = row.pop(0), budget_s - (time.monotonic() - begin)
            if why := _not_tried(case, smaller, left):
                yield BenchOutcome(case, None, why)
                continue
            bounded = replace(case, limit_s=min(case.limit_s, left))
            outcome = replace(run_case(bounded, _square_file(picture, case.side, Path(folder)), model), case=case)
            smaller[case.codec, case.threads] = outcome
            yield outcome


def _not_tried(case: BenchCase, smaller: Mapping[tuple[str, int], BenchOutcome], left: float) -> str:
    """The reason to skip a case; empty if it should run."""
    if left <= 0:
        return "not tried: the time for all was up"
    before = smaller.get((case.codec, case.threads))
    if before is not None and before.problem:
        return f"not tried: {before.case.side} px: {before.problem}"
    needed = _least_seconds(case, smaller)
    if needed > case.limit_s:
        return f"not tried: about {needed:.0f} s, and the limit is {case.limit_s:g} s"
    return f"not tried: about {needed:.0f} s, and {left:.0f} s are left of the time for all" if needed > left else ""


def _least_seconds(case: BenchCase, smaller: Mapping[tuple[str, int], BenchOutcome]) -> float:
    """Estimated seconds of a warm-up and a timed run, in proportion to pixels and without the start; 0 if unknown."""
    before = smaller.get((case.codec, case.threads))
    if before is None or before.measured is None:
        return 0.0
    pair = before.measured.encode.seconds + before.measured.decode.seconds
    return 2 * pair * case.pixels / before.case.pixels


def run_case(case: BenchCase, picture: Path, model: str | None) -> BenchOutcome:
    """Runs one case in a process of its own. A failure or a timeout is an outcome."""
    task = json.dumps({"case": asdict(case), "picture": str(picture), "model": model})
    command = [sys.executable, "-m", "s2lic.eval.bench.worker", task]
    threads = {"OMP_NUM_THREADS": str(case.threads), "MKL_NUM_THREADS": str(case.threads)}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=case.limit_s, env={**os.environ, **threads}, check=False
        )
    except subprocess.TimeoutExpired:
        return BenchOutcome(case, None, f"over {case.limit_s:.3g} s")
    if done.returncode:
        return BenchOutcome(case, None, _why(done.returncode, done.stderr))
    return BenchOutcome(case, _measured(json.loads(done.stdout.splitlines()[-1])))


def square(picture: Image.Image, side: int) -> Image.Image:
    """The centre of the picture, extended by reflection if needed, so that all sizes have similar detail."""
    short = [max(0, side - length) for length in (picture.height, picture.width)]
    pixels = np.pad(np.asarray(picture.convert("RGB")), ((0, short[0]), (0, short[1]), (0, 0)), mode="symmetric")
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return Image.fromarray(pixels[top : top + side, left : left + side].copy())


def _square_file(picture: Image.Image, side: int, folder: Path) -> Path:
    path = folder / f"{side}.bmp"
    if not path.exists():
        path.write_bytes(encode_image(square(picture, side), ".bmp"))
    return path


def _measured(found: dict[str, Any]) -> BenchResult:
    return BenchResult(**{**found, "encode": Timing(**found["encode"]), "decode": Timing(**found["decode"])})


def _why(code: int, stderr: str) -> str:
    """The last line of stderr, or the signal that ended the process. SIGKILL mostly means out of memory."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    lines = stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {code}"


BenchCallback = Callable[[int, int, BenchOutcome], None]  # takes the count so far, the count of all, the outcome


@dataclass(frozen=True)
class BenchRequest:
    """The settings of a benchmark of our codec and `peers`, on square pictures of all sides and with all threads.

    Our codec uses the weights `model`, runs on `device`, and encodes `batch` pictures at once.
    """

    sides: tuple[int, ...]
    threads: tuple[int, ...]
    peers: tuple[str, ...]
    repeats: int = 3
    limit_s: float = 90.0
    minutes: float = 12.0
    model: str | None = None
    device: str = "cpu"
    batch: int = 1

    def cases(self) -> list[BenchCase]:
        """Raises UsageError."""
        codecs, own = (OURS, *self.peers), (self.device, self.batch)
        return cases(codecs, self.sides, self.threads, self.repeats, self.limit_s, *own)

    @property
    def command(self) -> str:
        """The command line that repeats the benchmark, without the weights."""
        sides, threads = (",".join(map(str, numbers)) for numbers in (self.sides, self.threads))
        words = f"s2lic bench speed --sizes {sides} --threads {threads} --peers {','.join(self.peers) or 'none'}"
        own = f" --device {self.device}" if self.device != "cpu" else ""
        own += f" --batch {self.batch}" if self.batch > 1 else ""
        return f"{words} --repeats {self.repeats} --limit {self.limit_s:g} --minutes {self.minutes:g}{own}"


def bench(request: BenchRequest, picture: str, out: Path | None, report: BenchCallback) -> BenchRecord:
    """Runs all cases on a picture, and writes the record into the folder `out` if given.

    Raises UsageError, what opening the picture raises, OutputUnwritableError, ExtraMissingError.
    """
    need("torch", "the benchmark", "torch")
    todo, image, outcomes = request.cases(), open_image(picture), list[BenchOutcome]()
    if out is not None:
        make_folder(out)
    load = os.getloadavg()[0]
    for outcome in run(todo, image, request.model, 60 * request.minutes):
        outcomes.append(outcome)
        report(len(outcomes), len(todo), outcome)
    found = record(sorted(outcomes, key=lambda outcome: todo.index(outcome.case)), request.command, load)
    if out is not None:
        save(found, out)
    return found
