"""Running a program of the user's."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from s2lic.cli.signals import unwinding
from s2lic.eval.codecs import program

# An encoder with a minute to go, whose caller is stopped.
BUSY = f"""
import os, sys, time
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(0.3)
os.kill(os.getppid(), {int(signal.SIGTERM)})
time.sleep(60)
"""


def test_a_program_does_not_outlive_the_stop_of_its_caller(tmp_path: Path) -> None:
    with unwinding(), pytest.raises(SystemExit):
        program.run([sys.executable, "-S", "-c", BUSY, tmp_path / "pid"], tmp_path / "product")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
