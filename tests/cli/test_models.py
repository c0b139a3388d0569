"""`s2lic models`: a table, JSON, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from s2lic.eval import complexity
from s2lic.model import CONFIGS

from .conftest import Result

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def counted_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        complexity, "cost", lambda name: complexity.Cost(name, 7, {}, dict.fromkeys(complexity.PARTS, 1.0))
    )


def test_each_configuration_but_that_of_the_tests_is_a_row(run: Run) -> None:
    lines = run("models").out.decode().splitlines()
    assert [line.split()[0] for line in lines[1:]] == [name for name in CONFIGS if name != "tiny"]
    assert list(json.loads(run("models", "--all", "--json").out)) == list(CONFIGS)


def test_quiet_prints_nothing(run: Run) -> None:
    assert run("models", "--quiet") == Result(0, b"", "")
