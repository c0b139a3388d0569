"""Measures seconds by stage, by wrapping the functions that do the work."""

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
    """A function to time: the attribute `name` of its class, module or object."""

    stage: str
    owner: Any
    name: str


class Stopwatch:
    """Seconds by stage. Without a clock, wall time. Time in a nested timed function counts for the inner stage only."""

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
    """Times all functions for the duration of the block. Raises AttributeError if one does not exist."""
    watch = Stopwatch(clock)
    with ExitStack() as patches:
        for station in stations:
            timed = watch.timed(station.stage, getattr(station.owner, station.name))
            patches.enter_context(mock.patch.object(station.owner, station.name, timed))
        yield watch
