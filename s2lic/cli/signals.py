"""A stop from outside unwinds like an exception, so that no half of an output is left, or ends a long run in order."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

# What `kill`, a service manager and a closed terminal send; Ctrl-C is an exception in Python already.
STOPS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

Handler = Callable[[int, FrameType | None], None]


def unwinding() -> AbstractContextManager[None]:
    """While it lasts, a stop raises SystemExit with the shell's code."""
    return _handling(STOPS, _unwind)


def stopping(stop: Callable[[], None]) -> AbstractContextManager[None]:
    """While it lasts, the first stop or Ctrl-C calls `stop`; the second does what it would do without."""
    numbers = (signal.SIGINT, *STOPS)
    before = {int(number): signal.getsignal(number) for number in numbers}

    def first(number: int, _: FrameType | None) -> None:
        stop()
        signal.signal(number, before[number])

    return _handling(numbers, first)


@contextmanager
def _handling(numbers: Sequence[int], handler: Handler) -> Iterator[None]:
    """One that is ignored stays so (`nohup`)."""
    before = {number: signal.getsignal(number) for number in numbers}
    heeded = {number: old for number, old in before.items() if old is not signal.SIG_IGN}
    for number in heeded:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in heeded.items():
            signal.signal(number, old)


def _unwind(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
