"""A run over a dataset: sends tasks to workers, collects their tallies, and writes errors to a table."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from s2lic.bulk.error_table import ErrorRow, ErrorTable
from s2lic.bulk.job import FOLDER, BulkTask, Tally
from s2lic.bulk.plan import BulkPlan
from s2lic.bulk.session import ATTEMPTS, capacity, import_ray, session
from s2lic.bulk.worker import BulkWorker
from s2lic.coding.pipeline import FILES
from s2lic.errors import ClusterError, OutputUnwritableError, WorkerDiedError
from s2lic.runtime import DeviceName, ProgressCallback, no_progress

BATCH = FILES  # images that a worker takes at a time, and that are repeated if it dies
UNWRITABLE = 20  # consecutive outputs that cannot be written until the run ends


@dataclass
class BulkSummary:
    """Counts of a run, its duration, the seconds until its first result, and the exit codes of its errors."""

    tally: Tally = field(default_factory=Tally)
    skipped: int = 0
    workers: int = 0
    seconds: float = 0.0
    start_up: float = 0.0
    exit_codes: set[int] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        tally, seconds = self.tally, max(self.seconds, 1e-9)
        megapixels = tally.pixels / 1e6
        counts = {"done": tally.done, "skipped": self.skipped, "failed": tally.failed, "workers": self.workers}
        size = {"megapixels": megapixels, "bytes": tally.size, "bpp": 8 * tally.size / max(tally.pixels, 1)}
        speed = {"pictures_per_second": tally.done / seconds, "megapixels_per_second": megapixels / seconds}
        return {**counts, **size, "seconds": self.seconds, "start_up_seconds": self.start_up, **speed}


def run(
    plan: BulkPlan,
    address: str | None = None,
    workers: int | None = None,
    done: ProgressCallback = no_progress,
    heard: Callable[[ErrorRow], None] = lambda _: None,
) -> BulkSummary:
    """Run the tasks of a plan.

    Args:
        plan: The tasks.
        address: The address of a Ray cluster; None for this machine.
        workers: The number of worker processes; None for one per CPU or GPU.
        done: Called with the number of finished tasks.
        heard: Called with the row of every failure.

    Raises:
        ExtraMissingError, ClusterError, OutputUnwritableError.
    """
    began = time.monotonic()
    summary = BulkSummary(skipped=plan.skipped)
    if not plan.tasks:
        return summary
    table = ErrorTable(plan.dest, {task.target for task in plan.tasks})
    unwritable = 0
    try:
        with session(address, workers):
            for tally in _with_missing(plan, _pool(plan, address, workers, summary)):
                summary.start_up = summary.start_up or time.monotonic() - began
                summary.tally.add(tally)
                summary.tally.targets += tally.targets
                table.add(tally.errors)
                for row in tally.errors:
                    summary.exit_codes.add(row["exit_code"])
                    heard(row)
                done(len(summary.tally.targets), len(plan.tasks))
                unwritable = _unwritable(tally, unwritable)
    finally:
        summary.seconds = time.monotonic() - began
        table.save()
    return summary


@dataclass(frozen=True)
class WorkerPoolSize:
    """The number of workers, and the CPUs and GPUs of each."""

    workers: int
    cpus: int
    gpus: int


def _pool(plan: BulkPlan, address: str | None, workers: int | None, summary: BulkSummary) -> WorkerPoolSize:
    """One worker per CPU, or per GPU if GPUs are requested and present. On this machine, spare CPUs become threads."""
    cpus = max(1, capacity("CPU"))
    gpus = 0 if plan.job.device is DeviceName.cpu else capacity("GPU")
    most = min(len(plan.tasks), workers or gpus or cpus, gpus or cpus)
    summary.workers = most
    # In a cluster, no single machine may have that many CPUs.
    return WorkerPoolSize(most, 1 if address else cpus // most, 1 if gpus else 0)


def _with_missing(plan: BulkPlan, pool: WorkerPoolSize) -> Iterator[Tally]:
    """The tallies of all tasks. The tasks of a batch whose workers died are tried again one by one."""
    batch = BATCH if plan.job.to == FOLDER else 1
    left = {task.target: task for task in plan.tasks}
    for size in (batch, 1):
        for tally in _tallies(plan, list(left.values()), size, pool) if left else ():
            for target in tally.targets:
                left.pop(target, None)
            yield tally
    tally = Tally(targets=list(left))
    for task in left.values():
        died = WorkerDiedError(
            f"the process that coded it ended {ATTEMPTS} times, perhaps for lack of memory; leave it out, or lower "
            "--max-pixels or --workers"
        )
        tally.fail(task.sources[0], task.target, died)
    if left:
        yield tally


def _tallies(plan: BulkPlan, tasks: Sequence[BulkTask], batch: int, pool: WorkerPoolSize) -> Iterator[Tally]:
    """The tallies, in order of completion. A batch is repeated if its worker dies, at most three times."""
    ray = import_ray()
    batches = math.ceil(len(tasks) / batch)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a lost batch is missing at the end
    with warnings.catch_warnings():
        # `max_task_retries` can only be set here so far.
        warnings.filterwarnings("ignore", message=".*ray_remote_args", category=DeprecationWarning)
        rows = ray.data.from_items([task.as_row() for task in tasks], override_num_blocks=batches).map_batches(
            BulkWorker,
            fn_constructor_args=(plan.job, plan.source, plan.dest, pool.cpus),
            compute=ray.data.ActorPoolStrategy(size=min(pool.workers, batches), max_tasks_in_flight_per_actor=2),
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=pool.cpus,
            num_gpus=pool.gpus,
            max_task_retries=ATTEMPTS - 1,
        )
    try:
        for table in rows.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            yield from map(Tally.of, table.to_pylist())
    except ray.exceptions.RayError as error:
        raise ClusterError(
            f"the workers cannot be started: {error}; check that all machines can open the model"
        ) from error


def _unwritable(tally: Tally, before: int) -> int:
    """The number of consecutive outputs that could not be written. Raises OutputUnwritableError at the limit."""
    if tally.done or any(row["error"] != OutputUnwritableError.__name__ for row in tally.errors):
        return 0
    if (count := before + tally.failed) >= UNWRITABLE:
        raise OutputUnwritableError(
            f"stopped, since {count} outputs in a row could not be written; the last: {tally.errors[-1]['message']}. "
            "Run the same command again to resume"
        )
    return count
