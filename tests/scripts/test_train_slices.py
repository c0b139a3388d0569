"""Slices of one run, each a process of its own."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic.train.checkpoint import read_parts

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    rows, cols = np.mgrid[:256, :272]
    waves = 127 + 100 * np.sin(np.stack([rows / 9, cols / 11, (rows + cols) / 23], axis=-1))
    (tmp_path / "shard").mkdir()
    Image.fromarray(waves.astype(np.uint8)).save(tmp_path / "shard/1.png")
    return tmp_path / "shard"


def words(shard: Path, out: Path, *more: str) -> list[str]:
    sizes = (
        "--config",
        "tiny",
        "--batch",
        "1",
        "--crop",
        "64",
        "--no-bf16",
        "--device",
        "cpu",
        "--max-file-mib",
        "0.5",
    )
    script = [sys.executable, "-W", "ignore", str(ROOT / "scripts/train_slices.py")]
    return [*script, "--data", str(shard), "--out", str(out), *sizes, "--total-minutes", "10", *more]


def test_a_slice_goes_on_where_the_one_before_stopped(shard: Path, tmp_path: Path) -> None:
    out = tmp_path / "state"
    for more in ([], ["--drop-optimiser"], []):
        subprocess.run(words(shard, out, "--minutes", "0.02", *more), cwd=ROOT, check=True, capture_output=True)
        state = read_parts(out)
        assert ("optimiser" in state) == (not more)
    with (out / "log.csv").open(newline="") as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert steps == sorted(set(steps))
    assert len(steps) >= 3
    assert state["step"] >= steps[-1]
    assert state["fresh"] > 0  # the third slice began its optimiser anew
    assert max(part.stat().st_size for part in out.glob("*.part")) <= 2**19


def test_a_slice_that_fails_leaves_nothing_in_the_folder_of_temporary_files(tmp_path: Path) -> None:
    for name in ("empty", "temporary"):
        (tmp_path / name).mkdir()
    place = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    found = subprocess.run(
        words(tmp_path / "empty", tmp_path / "state", "--minutes", "1"),
        cwd=ROOT, env=place, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode != 0
    assert "no pictures under" in found.stderr
    assert not any((tmp_path / "temporary").glob("slice-*"))


def test_a_killed_slice_loses_what_came_after_its_last_save_and_no_more(shard: Path, tmp_path: Path) -> None:
    out = tmp_path / "state"
    process = subprocess.Popen(
        words(shard, out, "--minutes", "5", "--save-every", "2"), cwd=ROOT, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not (out / "index.json").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    step = read_parts(out)["step"]
    assert step >= 2
    assert step % 2 == 0
