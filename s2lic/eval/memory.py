"""The peak memory of one piece of work, by Linux's high-water mark, which can be reset."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from s2lic.eval.bench.memory import in_use, peak

RESET = Path("/proc/self/clear_refs")
Result = TypeVar("Result")


def with_peak(work: Callable[[], Result]) -> tuple[Result, float | None]:
    """The result, and the MiB that the process held at most beyond what it held before; None where nothing tells."""
    gc.collect(1)  # what earlier work left; a full collection walks all of torch's objects, which takes 80 ms
    _give_back()
    watched = _reset()
    before = in_use()
    result = work()
    return result, max(0, peak() - before) / 2**20 if watched else None


def _give_back() -> None:
    """Return freed memory to the system, so that it counts when it is taken again; glibc can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _reset() -> bool:
    try:
        RESET.write_text("5")
    except OSError:  # no such file outside Linux, and some containers forbid it
        return False
    return True
