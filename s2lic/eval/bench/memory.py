"""How much memory this process takes."""

from __future__ import annotations

import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def in_use() -> int:
    """Resident bytes now; on systems without /proc the most there has been."""
    return _status("VmRSS") if STATUS.exists() else _maximum()


def peak() -> int:
    """The most bytes that were ever resident."""
    return _status("VmHWM") if STATUS.exists() else _maximum()


def _status(row: str) -> int:
    """From /proc: getrusage there also counts what the parent held when it started this process."""
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(f"{row}:"))
    return 1024 * int(line.split()[1])


def _maximum() -> int:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
