"""Makes the tasks of a run, without those that an earlier run has finished."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from s2lic.bulk.job import FOLDER, PARQUET, SHARDS, SUFFIXES, BulkJob, BulkTask
from s2lic.bulk.parts import coded_name
from s2lic.bulk.places import Place, open_place, open_source
from s2lic.bulk.worker import accepted
from s2lic.errors import InputMissingError, OptionsChangedError, UsageError

RECORD = "s2lic-bulk.json"
PICTURES_A_PART = 1000


@dataclass(frozen=True)
class BulkPlan:
    """The remaining tasks, and the number that an earlier run has finished."""

    job: BulkJob
    source: Place
    dest: Place
    tasks: list[BulkTask]
    skipped: int


def plan(job: BulkJob, to: str | None, source: str, dest: str, per_part: int, force: bool) -> BulkPlan:
    """Plan a run, and record its options in `dest`.

    Args:
        job: How to process each image.
        to: The storage of `dest`; None for that of `source`.
        source: URL of a folder or a file.
        dest: URL of a folder.
        per_part: Images per part when `source` is a folder of files.
        force: Start over instead of resuming.

    Raises:
        UsageError, InputMissingError, OptionsChangedError, ExtraMissingError, OutputUnwritableError.
    """
    place, names = open_source(source)
    kind = _kind(names)
    job = replace(job, to=to or kind)
    if kind not in (job.to, FOLDER):
        raise UsageError(f"{source} has {kind}; they can become {kind} only, so leave --to out")
    target = open_place(dest)
    if (target.fs, target.root) == (place.fs, place.root):
        raise UsageError(f"{dest} is the source itself; give another place")
    wanted = accepted(job) if kind == FOLDER else lambda path: path.suffix == SUFFIXES[kind]
    chosen = [name for name in names if wanted(Path(name))]
    if not chosen:
        raise InputMissingError(f"there are no {'pictures' if job.encodes else 's2lic files'} in {source}")
    tasks = _tasks(chosen, job, kind, per_part)
    there = set(target.names())
    _record(target, job, tasks, there, force)
    left = [task for task in tasks if force or task.target not in there]
    return BulkPlan(job, place, target, left, len(tasks) - len(left))


def _kind(names: Iterable[str]) -> str:
    """The storage of a source, by the extensions of its files. Raises UsageError."""
    suffixes = {Path(name).suffix for name in names}
    found = [kind for kind, suffix in SUFFIXES.items() if suffix in suffixes]
    if len(found) > 1:
        raise UsageError("the source has both tar and Parquet files; give them a run each")
    return found[0] if found else FOLDER


def _tasks(names: Sequence[str], job: BulkJob, kind: str, per_part: int) -> list[BulkTask]:
    if job.to == FOLDER:
        return _distinct([BulkTask([name], coded_name(name, job.suffix)) for name in names])
    if kind != FOLDER:
        return [BulkTask([name], name) for name in names]
    starts = range(0, len(names), per_part)
    parts = [names[start : start + per_part] for start in starts]
    return [BulkTask(part, f"part-{index:06}{SUFFIXES[job.to]}") for index, part in enumerate(parts)]


def _distinct(tasks: list[BulkTask]) -> list[BulkTask]:
    """Raises UsageError if two images would have the same output."""
    taken: dict[str, str] = {}
    for task in tasks:
        if (other := taken.setdefault(task.target, task.sources[0])) != task.sources[0]:
            raise UsageError(f"{other} and {task.sources[0]} would both become {task.target}; rename one")
    return tasks


def _record(dest: Place, job: BulkJob, tasks: Sequence[BulkTask], there: set[str], force: bool) -> None:
    """Record the options, so that resuming with others is refused.

    A part of many files is named by its number, so the record also covers the list of files.
    """
    record = job.record()
    if len(tasks[0].sources) > 1 or job.to in (SHARDS, PARQUET):
        listed = "\n".join(name for task in tasks for name in (task.target, *task.sources))
        record["inputs"] = hashlib.sha256(listed.encode()).hexdigest()
    text = json.dumps(record, indent=2, sort_keys=True).encode()
    if RECORD in there and not force:
        if json.loads(dest.read(RECORD)) != json.loads(text):
            raise OptionsChangedError(
                f"{dest.url} was begun with other options or inputs ({RECORD} has them); repeat those, give --force to "
                "do everything anew, or another place"
            )
        return
    dest.put(RECORD, text)
