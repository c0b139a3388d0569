"""A run through Ray."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s2lic.bulk.error_table import ERRORS
from s2lic.bulk.job import BulkJob, Tally
from s2lic.bulk.places import open_place
from s2lic.bulk.plan import plan
from s2lic.bulk.run import BATCH, UNWRITABLE, BulkSummary, _unwritable, run
from s2lic.bulk.session import unordered
from s2lic.coding.options import DecodeOptions, EncodeOptions
from s2lic.errors import OutputUnwritableError
from s2lic.eval.run import EvalRequest, Selection, evaluate

from .conftest import WORKERS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("ray"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context"),  # of Ray's own settings
]
Photos = Callable[[int], Path]
JOB = BulkJob(EncodeOptions(quality=10))


def go(source: str | Path, dest: str | Path, job: BulkJob = JOB, to: str | None = None, **how: Any) -> BulkSummary:
    return run(plan(job, to, str(source), str(dest), 2, force=False), None, WORKERS, **how)


def files(folder: Path) -> dict[str, int]:
    """The inode of each file: a file that is written again gets another."""
    return {str(path.relative_to(folder)): path.stat().st_ino for path in folder.rglob("*.s2lic")}


def test_files_become_shards_on_s3_and_come_back(photos: Photos, s3: str, tmp_path: Path) -> None:
    source, dest = photos(4), open_place(f"{s3}/shards")
    (source / "0" / "000.png").write_bytes(b"no picture")
    summary = go(source, dest.url, to="shards")
    assert (summary.tally.done, summary.tally.failed, summary.exit_codes) == (3, 1, {1})
    assert dest.names() == [ERRORS, "part-000000.tar", "part-000001.tar", "s2lic-bulk.json"]
    assert go(dest.url, tmp_path / "back", BulkJob(DecodeOptions())).tally.done == 3
    assert sorted(path.name for path in (tmp_path / "back").glob("*.tar")) == ["part-000000.tar", "part-000001.tar"]


def test_a_killed_worker_costs_its_batch_at_most(photos: Photos, tmp_path: Path) -> None:
    source, dest = photos(4 * BATCH), tmp_path / "coded"
    (source / "0" / "bad.png").write_bytes(b"no picture")
    before, heard = dict[str, int](), list[dict[str, Any]]()

    def kill_one(count: int, of: int) -> None:
        if not before:
            before.update(files(dest))
            os.kill(workers_below(os.getpid())[0], signal.SIGKILL)

    summary = go(source, dest, done=kill_one, heard=heard.append)
    after = files(dest)
    assert (summary.tally.done, summary.tally.failed, len(after)) == (4 * BATCH, 1, 4 * BATCH)
    assert [json.loads(line) for line in (dest / ERRORS).read_text().splitlines()] == heard
    assert heard[0]["target"] == "0/bad.s2lic"
    assert sum(after[name] != inode for name, inode in before.items()) <= BATCH


def test_a_killed_driver_loses_nothing_and_leaves_no_process(photos: Photos, tmp_path: Path) -> None:
    source, dest = photos(4 * BATCH), tmp_path / "coded"
    command = [sys.executable, "-m", "s2lic", "bulk", "encode", str(source), str(dest), "-q", "10", "-j", "2"]
    driver = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_until(lambda: len(files(dest)) >= BATCH)
    below = workers_below(driver.pid)
    driver.kill()
    driver.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))
    before = files(dest)
    summary = go(source, dest)
    after = files(dest)
    assert (summary.skipped, summary.tally.done) == (len(before), 4 * BATCH - len(before))
    assert before.items() <= after.items()
    assert len(after) == 4 * BATCH
    assert len(before) < 4 * BATCH


def wait_until(holds: Callable[[], bool], seconds: float = 100) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def workers_below(pid: int) -> list[int]:
    """The worker processes that a process started, by itself or through others."""
    parents = dict[int, int]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        if words := text_of(stat).rpartition(")")[2].split():
            parents[int(stat.parent.name)] = int(words[1])

    def is_below(child: int) -> bool:
        while child in parents:
            child = parents[child]
            if child == pid:
                return True
        return False

    return [child for child in parents if is_below(child) and "MapWorker" in text_of(Path(f"/proc/{child}/cmdline"))]


def text_of(path: Path) -> str:
    """Empty if its process has ended."""
    try:
        return path.read_text()
    except OSError:
        return ""


def test_outputs_that_cannot_be_written_end_a_run() -> None:
    one = Tally(failed=1, errors=[{"error": "OutputUnwritableError", "message": "the disk is full"}])
    broken = Tally(failed=1, errors=[{"error": "NotAnImageError", "message": "no picture"}])
    assert _unwritable(one, 3) == 4
    assert _unwritable(broken, 3) == _unwritable(Tally(done=1, failed=1, errors=one.errors), 3) == 0
    with pytest.raises(OutputUnwritableError, match="again to resume"):
        _unwritable(one, UNWRITABLE - 1)


def test_an_evaluation_on_ray_finds_what_one_process_finds(photos: Photos, tmp_path: Path) -> None:
    paths, jpeg = sorted(photos(2).rglob("*.png")), (Selection("jpeg", (20.0, 80.0)),)
    one = evaluate(paths, EvalRequest(jpeg, (), tmp_path / "one"))
    two = evaluate(paths, EvalRequest(jpeg, (), tmp_path / "two", jobs=2, on_ray=True))
    assert two.failures == ()
    assert [(s.file, s.bpp, s.psnr) for s in one.samples] == [(s.file, s.bpp, s.psnr) for s in two.samples]


def test_an_item_whose_process_dies_gives_an_error(ray: None) -> None:
    found = dict(unordered(_die_of_two, [1, 2, 3], WORKERS))
    assert (found[1], found[3]) == (10, 30)
    assert isinstance(found[2], Exception)


def _die_of_two(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return 10 * number
