"""A process that keeps what it freed takes it again without the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

from s2lic.heap import KEPT, keep_freed_memory

FAULTS = """
import mmap, resource, sys
from s2lic.heap import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    before = faults()
    block = b"x" * (24 << 20)
    del block
    after = faults()
print((after - before) * mmap.PAGESIZE)
"""


def taken_anew(how: str) -> int:
    """Bytes that a process takes from the system for a block that it has just freed."""
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not keep_freed_memory(), reason="the C library is not glibc")
def test_a_block_that_was_freed_is_taken_again_without_the_system() -> None:
    assert taken_anew("keep") < 1 << 20
    assert KEPT > 24 << 20


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_it_says_that_it_cannot(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2lic.heap.sys.platform", platform)
    assert not keep_freed_memory()
