"""Signals unwind or end a run, and are what they were before when the work is over."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from s2lic.cli.signals import STOPS, stopping, unwinding

NUMBERS = (signal.SIGINT, *STOPS)


@pytest.fixture(autouse=True)
def handlers_stay_as_they_were(default_signals: None) -> Iterator[None]:
    before = [signal.getsignal(number) for number in NUMBERS]
    yield
    assert [signal.getsignal(number) for number in NUMBERS] == before


@pytest.mark.parametrize("number", STOPS, ids=str)
def test_a_stop_unwinds_with_the_code_of_the_shell(number: signal.Signals) -> None:
    with pytest.raises(SystemExit) as told, unwinding():
        os.kill(os.getpid(), number)
    assert told.value.code == 128 + number


@pytest.mark.parametrize("number", NUMBERS, ids=str)
def test_a_run_is_stopped_by_the_first_signal_and_unwound_by_the_second(number: signal.Signals) -> None:
    calls: list[str] = []

    def twice() -> None:
        for _ in range(2):
            os.kill(os.getpid(), number)
            assert calls == ["stop"]

    with pytest.raises((SystemExit, KeyboardInterrupt)), unwinding(), stopping(lambda: calls.append("stop")):
        twice()
    assert calls == ["stop"]


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with unwinding(), stopping(lambda: pytest.fail("it was ignored")):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
