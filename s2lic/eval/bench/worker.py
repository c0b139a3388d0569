"""Runs one case in this process: `python -m s2lic.eval.bench.worker JSON` prints the result as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from s2lic.errors import S2licError
from s2lic.eval.bench.records import STAGES, BenchCase, BenchResult, Timing
from s2lic.eval.bench.stopwatch import Stopwatch, watching
from s2lic.eval.bench.subjects import SUBJECTS, BenchSubject
from s2lic.eval.memory import in_use, peak
from s2lic.images.load import open_image
from s2lic.runtime import keep_freed_memory


def measure(case: BenchCase, picture: Path, model: str | None) -> BenchResult:
    """Measures a case: one run to warm up, then up to `repeats` runs while at least half of the time is left.

    Raises what opening, encoding and decoding raise.
    """
    start = time.monotonic()
    subject = SUBJECTS[case.codec](open_image(picture, None).convert("RGB"), case, model)
    rest = in_use()
    coded = subject.encode()
    subject.decode(coded)
    with watching(subject.stations, subject.clock) as watch:
        runs = [_run(subject, watch)]
        while len(runs) < case.repeats and time.monotonic() - start < case.limit_s / 2:
            runs.append(_run(subject, watch))
    encode, decode = (_median([run[i] for run in runs]) for i in (0, 1))
    return BenchResult(encode, decode, len(runs), subject.size(coded), rest, peak())


def _run(subject: BenchSubject, watch: Stopwatch) -> tuple[Timing, Timing]:
    coded, encode = _timed(subject.encode, watch)
    return encode, _timed(lambda: subject.decode(coded), watch)[1]


def _timed(call: Callable[[], Any], watch: Stopwatch) -> tuple[Any, Timing]:
    """The result of the call and its time. The stage `rest` is what no timed function covers."""
    watch.seconds.clear()
    start = watch.clock()
    result = call()
    seconds = watch.clock() - start
    stages = dict(watch.seconds)
    return result, Timing(seconds, {**stages, "rest": seconds - sum(stages.values())})


def _median(timings: list[Timing]) -> Timing:
    seen = {stage for timing in timings for stage in timing.stages}
    stages = {stage: median(t.stages.get(stage, 0.0) for t in timings) for stage in STAGES if stage in seen}
    return Timing(median(timing.seconds for timing in timings), stages)


def main(argument: str) -> int:
    """Runs the case in the argument. An S2licError becomes a line on stderr and its exit code."""
    keep_freed_memory()
    task = json.loads(argument)
    try:
        measured = measure(BenchCase(**task["case"]), Path(task["picture"]), task["model"])
    except S2licError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    print(json.dumps(asdict(measured)))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
