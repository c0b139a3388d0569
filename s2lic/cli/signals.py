"""Signals: unwind like an exception, so that no partial output is left, or stop a long run cleanly."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

# Sent by `kill`, service managers and closed terminals. Python already turns Ctrl-C into an exception.
STOPS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

Handler = Callable[[int, FrameType | None], None]


def unwinding() -> AbstractContextManager[None]:
    """Within this context, a signal raises SystemExit with the exit code 128 + its number."""
    return _handling(STOPS, _unwind)


def stopping(stop: Callable[[], None]) -> AbstractContextManager[None]:
    """Within this context, the first signal or Ctrl-C calls `stop`. The second has its usual effect."""
    numbers = (signal.SIGINT, *STOPS)
    before = {int(number): signal.getsignal(number) for number in numbers}

    def first(number: int, _: FrameType | None) -> None:
        stop()
        signal.signal(number, before[number])

    return _handling(numbers, first)


@contextmanager
def _handling(numbers: Sequence[int], handler: Handler) -> Iterator[None]:
    """Install a handler. Signals that are ignored (`nohup`) stay ignored."""
    before = {number: signal.getsignal(number) for number in numbers}
    handled = {number: old for number, old in before.items() if old is not signal.SIG_IGN}
    for number in handled:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in handled.items():
            signal.signal(number, old)


def _unwind(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
