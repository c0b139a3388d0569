"""Seconds by stage: each function's own, whoever called it."""

from __future__ import annotations

import types

import pytest

from s2lic.eval.bench import stopwatch
from s2lic.eval.bench.stopwatch import TimedFunction, watching


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still but for what the functions below add to it."""
    now = [0.0]
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now[0])
    return now


def work(clock: list[float]) -> types.SimpleNamespace:
    """`outer` takes 1 s, calls `inner` of 4 s twice, and takes 2 s more."""
    place = types.SimpleNamespace()

    def inner() -> str:
        clock[0] += 4
        return "found"

    def outer() -> str:
        clock[0] += 1
        place.inner()
        found: str = place.inner()
        clock[0] += 2
        return found

    place.inner, place.outer = inner, outer
    return place


def test_an_inner_function_takes_its_time_off_the_outer_one(clock: list[float]) -> None:
    place = work(clock)
    with watching([TimedFunction("nets", place, "outer"), TimedFunction("coder", place, "inner")]) as watch:
        assert place.outer() == "found"
    assert watch.seconds == {"nets": 1 + 2, "coder": 4 + 4}


def test_a_stage_of_several_functions_sums_them(clock: list[float]) -> None:
    place = work(clock)
    with watching([TimedFunction("all", place, "outer"), TimedFunction("all", place, "inner")]) as watch:
        place.outer()
        place.inner()
    assert watch.seconds == {"all": 11 + 4}


def test_an_error_passes_through_and_its_time_counts(clock: list[float]) -> None:
    def fail() -> None:
        clock[0] += 3
        raise ValueError("broken")

    place = types.SimpleNamespace(fail=fail)
    with watching([TimedFunction("part", place, "fail")]) as watch, pytest.raises(ValueError, match="broken"):
        place.fail()
    assert watch.seconds == {"part": 3}


def test_afterwards_every_function_is_what_it_was(clock: list[float]) -> None:
    place = work(clock)
    before = dict(vars(place))
    with watching([TimedFunction("nets", place, "outer")]):
        assert vars(place) != before
    assert vars(place) == before


def test_a_function_that_is_not_there_is_an_error_and_no_blind_spot() -> None:
    with (
        pytest.raises(AttributeError, match="gone"),
        watching([TimedFunction("nets", types.SimpleNamespace(), "gone")]),
    ):
        pass
