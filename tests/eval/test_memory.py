"""The peak memory of one piece of work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from s2lic.eval import memory
from s2lic.eval.memory import with_peak

# In a process of its own: the test run holds a gigabyte of idle pages, and what the system takes back of them
# while the work runs counts against its peak.
SCRIPT = """
import json
import numpy as np
from s2lic.eval.memory import with_peak
MIB = 2**20
length, large = with_peak(lambda: len(np.ones(64 * MIB, np.uint8)))
_, small = with_peak(lambda: len(np.ones(16 * MIB, np.uint8)))
print(json.dumps([length, large, small]))
"""


def test_the_peak_is_what_the_work_took_at_most_and_not_what_earlier_work_took() -> None:
    if with_peak(lambda: None)[1] is None:
        pytest.skip("only Linux tells the peak memory of a piece of work")
    shown = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
    length, large, small = json.loads(shown)
    assert length == 64 * 2**20
    assert large == pytest.approx(64, abs=8)
    assert small == pytest.approx(16, abs=8)


def test_where_the_mark_cannot_be_reset_there_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "RESET", Path("/no/such/file"))
    assert with_peak(lambda: 7) == (7, None)
