"""A stop from outside unwinds like an exception, so that no half of an output is left."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# What `kill`, a service manager and a closed terminal send; Ctrl-C is an exception in Python already.
STOPS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def unwinding() -> Iterator[None]:
    """While it lasts, a stop raises SystemExit with the shell's code; one that is ignored stays so (`nohup`)."""
    before = {number: signal.getsignal(number) for number in STOPS}
    heeded = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in heeded:
        signal.signal(number, _unwind)
    try:
        yield
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)


def _unwind(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
