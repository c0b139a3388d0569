"""The tests that depend most on signals, terminals and the environment pass however the suite is started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ("test_signals.py", "test_progress.py", "test_stops.py::test_a_stop_that_is_ignored_stays_so")
STOPPED = "test_stops.py::test_a_stop_in_the_middle_of_writing_leaves_the_folder_as_it_was"
IGNORED = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)


def ignore_signals() -> None:
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)


@pytest.mark.parametrize("tests", [TESTS, (STOPPED,)], ids=["in this process", "in processes of their own"])
def test_the_suite_passes_where_signals_are_ignored_and_nothing_is_set(tests: tuple[str, ...]) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "OMP_NUM_THREADS") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"tests/cli/{name}" for name in tests)],
        cwd=ROOT,
        env={**kept, "TERM": "dumb", "LC_ALL": "C", "COLUMNS": "20", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        preexec_fn=ignore_signals,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
