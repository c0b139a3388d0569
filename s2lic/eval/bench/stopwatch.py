"""Where the time of a call goes: seconds by stage, taken around the functions that do the work."""

from __future__ import annotations

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock


@dataclass(frozen=True)
class TimedFunction:
    """A function to take the time of, as attribute `name` of its class, module or object."""

    stage: str
    owner: Any
    name: str


class Stopwatch:
    """Seconds by stage, by the wall if no clock is given. A function in another takes its time off the outer one's."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self.clock = clock or time.perf_counter
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*arguments: Any, **options: Any) -> Any:
            self._inner.append(0.0)
            start = self.clock()
            try:
                return function(*arguments, **options)
            finally:
                spent = self.clock() - start
                self.seconds[stage] += spent - self._inner.pop()
                self._inner[-1] += spent

        return run


@contextmanager
def watching(stations: Iterable[TimedFunction], clock: Callable[[], float] | None = None) -> Iterator[Stopwatch]:
    """A stopwatch around every station for as long as the block runs. Raises AttributeError for one not there."""
    watch = Stopwatch(clock)
    with ExitStack() as patches:
        for station in stations:
            timed = watch.timed(station.stage, getattr(station.owner, station.name))
            patches.enter_context(mock.patch.object(station.owner, station.name, timed))
        yield watch
