"""Runs an evaluation: measures what is missing, and collects results and failures."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from s2lic.bulk.session import check_extra, session, unordered
from s2lic.eval import measure, published
from s2lic.eval.codecs.base import need
from s2lic.eval.curves import comparisons, known_baseline, mean_curve, usual_baselines
from s2lic.eval.kodak import is_kodak
from s2lic.eval.measure import EvalTask, Selection
from s2lic.eval.page import machine, today
from s2lic.eval.pictures import read
from s2lic.eval.records import EvalPicture, Evaluation, Failure, RDCurve, Sample
from s2lic.files import make_folder
from s2lic.runtime import ProgressCallback, no_progress, share_cores

KODAK, FOLDER = "kodak", "DIR"


@dataclass(frozen=True)
class EvalRequest:
    """What to measure, the baselines (empty for the defaults), the output folder, and the number of processes.

    With `on_ray` they are processes of Ray: of the cluster at `address`, whose machines share the folder and the
    pictures, or of this machine.
    """

    selections: tuple[Selection, ...]
    baselines: tuple[str, ...]
    folder: Path
    jobs: int = 1
    on_ray: bool = False
    address: str | None = None


def check(request: EvalRequest) -> None:
    """Opens every codec, so that a missing one is reported before any work.

    Raises UsageError for an unknown codec, baseline, option or quality, and for a missing library or program.
    """
    if request.on_ray:
        check_extra()
    for module in ("matplotlib", "pytorch_msssim", "scipy"):
        need(module, "an evaluation", "eval")
    for selection in request.selections:
        row = selection.row
        row.check(dict(selection.options))
        for quality in selection.qualities:
            row.scale.check(selection.codec, quality)
        selection.open()
    for name in request.baselines:
        known_baseline(name, [selection.codec for selection in request.selections])


def evaluate(
    paths: Sequence[Path], request: EvalRequest, words: str = "", done: ProgressCallback = no_progress
) -> Evaluation:
    """Measures all pictures with all codecs, except samples that are already in the folder.

    `words` is the command line after its pictures. `done` gets the numbers of finished and of all samples.
    Raises what `check` raises, and InputMissingError.
    """
    check(request)
    make_folder(request.folder)
    pictures, failures = read(paths)
    found = list(_results(_tasks(pictures, request), request, done))
    samples = _in_order([item for item in found if isinstance(item, Sample)], pictures, request)
    curves = [_curve(selection, samples) for selection in request.selections]
    kodak = is_kodak(pictures)
    measured = [curve.codec for curve in curves]
    names = [known_baseline(name, measured) for name in request.baselines] or usual_baselines(measured, kodak)
    return Evaluation(
        date=today(),
        command=f"s2lic eval {KODAK if kodak else FOLDER} {words}".rstrip(),
        machine="; ".join(dict.fromkeys(sample.machine for sample in samples)) or machine(),
        kodak=kodak,
        pictures=tuple(pictures),
        curves=tuple(curves),
        published=tuple(published.curves().values()) if kodak else (),
        comparisons=tuple(comparisons(curves, names, {picture.name for picture in pictures}, kodak)),
        failures=(*failures, *(item for item in found if isinstance(item, Failure))),
        samples=tuple(samples),
        options={selection.codec: dict(selection.options) for selection in request.selections},
        kinds={selection.codec: selection.kind for selection in request.selections if selection.kind},
    )


def _tasks(pictures: Iterable[EvalPicture], request: EvalRequest) -> list[EvalTask]:
    return [EvalTask(picture, selection, request.folder) for selection in request.selections for picture in pictures]


def _results(tasks: Sequence[EvalTask], request: EvalRequest, done: ProgressCallback) -> Iterator[Sample | Failure]:
    """Samples of earlier runs first, then the others as they are measured."""
    total, count = sum(len(task.selection.qualities) for task in tasks), 0
    missing = []
    for task in tasks:
        kept = {quality: task.place(quality).recall() for quality in task.selection.qualities}
        yield from filter(None, kept.values())
        if rest := tuple(quality for quality, sample in kept.items() if sample is None):
            missing.append(replace(task, selection=replace(task.selection, qualities=rest)))
        count += len(kept) - len(rest)
    done(count, total)
    jobs = min(request.jobs, len(missing))
    here = machine(jobs)
    missing = [replace(task, machine=here) for task in missing]
    for results in _on_ray(missing, jobs, request.address) if request.on_ray else _measured(missing, jobs):
        yield from results
        count += len(results)
        done(count, total)


def _measured(tasks: Sequence[EvalTask], jobs: int) -> Iterator[list[Sample | Failure]]:
    if jobs < 2:
        yield from map(measure.run, tasks)
        return
    # Forked processes would inherit torch's threads in a state in which they hang.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), share_cores, (jobs,)) as pool:
        futures = {pool.submit(measure.run, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield _outcome(future, futures[future])
        except BaseException:
            # Running tasks finish, and their samples are kept. No other task starts.
            pool.shutdown(cancel_futures=True)
            raise


def _on_ray(tasks: Sequence[EvalTask], jobs: int, address: str | None) -> Iterator[list[Sample | Failure]]:
    if not tasks:
        return
    with session(address, jobs):
        for task, found in unordered(measure.run, tasks, jobs):
            if isinstance(found, Exception):
                found = [measure.failure(task, quality, found) for quality in task.selection.qualities]  # noqa: PLW2901
            yield found


def _outcome(future: Future[list[Sample | Failure]], task: EvalTask) -> list[Sample | Failure]:
    """The result of a task. A process that died, out of memory or by a crash, is a failure of its task."""
    try:
        return future.result()
    except BrokenProcessPool as error:
        return [measure.failure(task, quality, error) for quality in task.selection.qualities]


def _in_order(samples: Sequence[Sample], pictures: Sequence[EvalPicture], request: EvalRequest) -> list[Sample]:
    """Sorts samples by codec, picture and quality."""
    codecs_ = [selection.codec for selection in request.selections]
    names = [picture.name for picture in pictures]
    return sorted(samples, key=lambda s: (codecs_.index(s.codec), names.index(s.picture), s.quality))


def _curve(selection: Selection, samples: Sequence[Sample]) -> RDCurve:
    source = selection.open().identity
    ours = [sample for sample in samples if sample.codec == selection.codec]
    return mean_curve(selection.codec, selection.label, source, ours, selection.qualities)
