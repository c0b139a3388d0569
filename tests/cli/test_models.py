"""`s2lic models`: a table, JSON, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable

from s2lic.model import CONFIGS
from s2lic.weights import manifest
from scripts import model_costs

from .conftest import Result

Run = Callable[..., Result]


def test_each_configuration_but_that_of_the_tests_is_a_row(run: Run) -> None:
    lines = run("models").out.decode().splitlines()
    assert [line.split()[0] for line in lines[1:]] == [name for name in CONFIGS if name != "tiny"]
    assert list(json.loads(run("models", "--all", "--json").out)) == list(CONFIGS)


def test_a_row_says_what_weights_ship(run: Run) -> None:
    shown = json.loads(run("models", "--json").out)
    for name, facts in shown.items():
        assert facts["weights"] == [row.tune for row in manifest.rows() if row.model == name]
    assert "none" in run("models").out.decode().splitlines()[-1]


def test_the_stored_costs_are_those_that_are_counted() -> None:
    assert model_costs.FILE.read_text() == model_costs.text()


def test_quiet_prints_nothing(run: Run) -> None:
    assert run("models", "--quiet") == Result(0, b"", "")
