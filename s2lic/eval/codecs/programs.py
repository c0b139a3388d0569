"""Programs that encode and decode, run one at a time."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from s2lic.errors import ProgramFailedError, UsageError

LAST_WORDS = 300


def find_program(program: str) -> str:
    """The path of a program. Raises UsageError if it is missing."""
    found = shutil.which(program)
    if found is None:
        raise UsageError(
            f"there is no program {program} that can be run; check its path, and that it is executable (chmod +x)"
        )
    return str(Path(found).absolute())  # a link may be a name that the program goes by


def run_program(words: Sequence[str | Path], product: Path) -> float:
    """Runs a program that writes `product`; returns its peak memory in MiB. Raises ProgramFailedError."""
    log = product.with_name(product.name + ".log")
    with log.open("wb") as output:
        process = subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        peak = _wait(process)
    if process.returncode or not product.exists():
        said = log.read_text(errors="replace").strip()[-LAST_WORDS:] or "nothing"
        how = f"with exit code {process.returncode}" if process.returncode else "without writing its output"
        raise ProgramFailedError(
            f"{Path(words[0]).name} ended {how}; it said: {said}; check its build and its configuration"
        )
    return peak / 1024


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Waits for the program and returns its peak in KiB. An exception kills it: an encoder may run for hours."""
    try:
        _, status, usage = os.wait4(process.pid, 0)  # unlike Popen.wait, it returns the memory of the child
    except BaseException:
        process.kill()
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss
