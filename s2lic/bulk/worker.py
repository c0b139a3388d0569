"""The worker process: one codec, which codes batches of tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from s2lic.bulk.job import CODED, FOLDER, PARQUET, BulkJob, BulkTask, InputRow, Tally
from s2lic.bulk.parts import other_columns, part_writer, read_parquet, read_shard
from s2lic.bulk.places import Place
from s2lic.bulk.stages import stages_of
from s2lic.coding.pipeline import Job
from s2lic.errors import S2licError
from s2lic.images.names import is_picture_name
from s2lic.runtime import keep_freed_memory, no_progress

if TYPE_CHECKING:
    import pyarrow as pa

    from s2lic.codec import Codec


class BulkWorker:
    """Takes a table of tasks and returns a tally of each, for `Dataset.map_batches`.

    Args:
        job: How to process each image.
        source: The folder of the inputs.
        dest: The folder of the outputs.
        threads: Threads of torch.
    """

    def __init__(self, job: BulkJob, source: Place, dest: Place, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        keep_freed_memory()
        self.job, self.source, self.dest = job, source, dest
        codec = _open(job)
        self._work = stages_of(job, source, dest).work(lambda _: codec, job.device)

    def __call__(self, table: pa.Table) -> pa.Table:
        import pyarrow as pa

        tasks = [BulkTask(**row) for row in table.to_pylist()]
        return pa.Table.from_pylist([asdict(self.tally(tasks))], schema=tally_schema())

    def tally(self, tasks: list[BulkTask]) -> Tally:
        """Run the tasks. Images and parts that fail are counted."""
        tally = Tally(targets=[task.target for task in tasks])
        if self.job.to == FOLDER:
            jobs = [Job(task.sources[0], task.target) for task in tasks]
            for outcome in self._work(jobs, no_progress):
                tally.count(outcome, outcome.job.target or "")
            return tally
        for task in tasks:
            own = self._part_or_failure(task)
            tally.add(own)
            tally.errors += own.errors
        return tally

    def _part_or_failure(self, task: BulkTask) -> Tally:
        try:
            return self._part(task)
        except S2licError as error:
            tally = Tally()
            tally.fail(task.sources[0], task.target, error)
            return tally

    def _part(self, task: BulkTask) -> Tally:
        """Write one part. Raises PartError, InputMissingError, OutputUnwritableError."""
        tally = Tally()
        names = list(task.sources)
        others = other_columns(self.source, names, self.job.column) if self.job.to == PARQUET else None
        with self.dest.writer(task.target) as file, part_writer(file, self.job, others) as writer:
            for outcome in self._work(self._rows(names), no_progress):
                writer.add(outcome)
                tally.count(outcome, task.target)
        return tally

    def _rows(self, names: list[str]) -> Iterator[InputRow]:
        if names[0].endswith(".tar"):
            return read_shard(self.source, names[0], accepted(self.job))
        if names[0].endswith(".parquet"):
            return read_parquet(self.source, names[0], self.job.column)
        return (InputRow(name, columns={"name": name}) for name in names)


def accepted(job: BulkJob) -> Callable[[Path], bool]:
    """A function that tells by name whether a file is an input of the job."""
    return is_picture_name if job.encodes else _is_coded


def tally_schema() -> pa.Schema:
    """The columns of a tally in a table."""
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("source", "target", "error", "message")]
    errors = pa.list_(pa.struct([*texts, ("exit_code", pa.int64())]))
    counts = [(name, pa.int64()) for name in ("done", "failed", "pixels", "size")]
    return pa.schema([("targets", pa.list_(pa.string())), *counts, ("errors", errors)])


def _is_coded(path: Path) -> bool:
    return path.suffix == CODED


def _open(job: BulkJob) -> Codec:
    from s2lic.codec import Codec
    from s2lic.runtime import pick_device

    return Codec(job.model, pick_device(job.device), max_pixels=job.max_pixels, tune=job.tune)
