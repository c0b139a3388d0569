"""Where and when a measurement was taken, in words."""

from __future__ import annotations

import datetime as dt
import platform
from pathlib import Path


def machine(at_a_time: int = 1) -> str:
    """The kind of machine, what computes on it, and so many pictures at a time."""
    import torch

    threads = torch.get_num_threads()
    return (
        f"{_processor()}, {threads} thread{'s' * (threads > 1)}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    ) + (f", {at_a_time} pictures at a time" if at_a_time > 1 else "")


def today() -> str:
    return dt.date.today().isoformat()


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
