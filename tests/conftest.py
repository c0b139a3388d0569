"""Settings of the test process, whoever starts it: nohup, a service without a terminal, another test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

# Waiting threads spin by default; on a busy machine two of them are then 60 times slower than one. It must stand before
# torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:  # the workers have the cores; threads of each would wait for those of others
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed depends on these."""
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _no_weights_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Weights that were added on this machine are neither found nor changed."""
    for name in ("S2LIC_WEIGHTS_PATH", "S2LIC_WEIGHTS_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path_factory.getbasetemp() / "no-weights"))


@pytest.fixture
def default_signals() -> Iterator[None]:
    """Signals that the caller ignored are heeded again, here and in processes that the test starts."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
