"""Memory of this process: resident now, its peak, and the peak of one piece of work."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")
Result = TypeVar("Result")


def in_use() -> int:
    """Resident bytes now. Without /proc, the peak so far."""
    return _status("VmRSS") if STATUS.exists() else _maximum()


def peak() -> int:
    """The peak of resident bytes since the process started or since the last reset."""
    return _status("VmHWM") if STATUS.exists() else _maximum()


def with_peak(work: Callable[[], Result]) -> tuple[Result, float | None]:
    """Runs `work` and measures its memory.

    Returns:
        The result, and the peak in MiB above what the process held before; None where the peak cannot be reset.
    """
    gc.collect(1)  # a full collection visits all objects of torch, which takes 80 ms
    _release()
    watched = _reset()
    before = in_use()
    result = work()
    return result, max(0, peak() - before) / 2**20 if watched else None


def _status(row: str) -> int:
    """A row of /proc. getrusage would include what the parent held when it started this process."""
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(f"{row}:"))
    return 1024 * int(line.split()[1])


def _maximum() -> int:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _release() -> None:
    """Returns freed memory to the system (glibc only), so that it counts again when it is allocated again."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _reset() -> bool:
    """Resets the peak. Returns False outside Linux and in containers that forbid it."""
    try:
        RESET.write_text("5")
    except OSError:
        return False
    return True
