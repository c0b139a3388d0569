"""`s2lic lab bench` and `mqar`, as small as they go."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.cli.conftest import Result

Run = Callable[..., Result]


def test_a_bench_is_a_table_or_json(run: Run) -> None:
    words = ("lab", "bench", "--masks", "window,slices", "--resolutions", "256", "--strides", "8", "--repeats", 1)
    rows = json.loads(run(*words, "--kernels", "windows", "--ranks", "2", "--json").out)
    assert [row["kernel"] for row in rows[:4]] == ["windows", "ring", "all-gather", "ulysses"]
    assert {row["status"] for row in rows} == {"ok", "unsupported"}
    assert "unsupported" in run(*words, "--kernels", "windows", "--ranks", "1").out.decode()
    assert run(*words, "--kernels", "windows", "--ranks", "1", "--quiet") == Result(0, b"", "")


@pytest.mark.parametrize(
    "words",
    [("--masks", "moon"), ("--strides", "3"), ("--limit", "nan"), ("--limit", "-1")],
    ids=" ".join,
)
def test_what_cannot_be_benched_is_the_callers_fault(run: Run, words: tuple[str, ...]) -> None:
    assert run("lab", "bench", *words).code == 2


def test_recall_is_a_table_or_json(run: Run) -> None:
    words = ("lab", "mqar", "--blocks", "mlp", "--steps", 1, "--side", 3, "--pairs", 2, "--vocabulary", 8)
    (row,) = json.loads(run(*words, "--json").out)
    assert (row["block"], row["steps"]) == ("mlp", 1)
    assert run(*words).out.decode().splitlines()[1].startswith("mlp")
    assert run(*words, "--quiet") == Result(0, b"", "")


def test_the_steps_of_a_training_are_counted_at_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2lic.cli.progress.stderr_is_watched", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    words = ("lab", "mqar", "--blocks", "mlp", "--steps", 2, "--side", 3, "--pairs", 2, "--vocabulary", 8)
    said = run(*words).err
    assert "training mlp, 1 of 1" in said
    assert "2/2" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--blocks", "mlp,nonsense"), "nonsense"),
        (("--blocks", "mlp,eca"), "'eca' is a gate"),
        (("--width", 12), "--width takes multiples of 8, not 12"),
    ],
    ids=["unknown", "gate", "width"],
)
def test_what_no_reader_can_be_built_of_is_refused_before_any_training(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], message: str
) -> None:
    monkeypatch.setattr("s2lic.lab.mqar.recall", lambda *_, **__: pytest.fail("a reader was trained"))
    refused = run("lab", "mqar", *words)
    assert refused.code == 2
    assert message in refused.err


def test_a_form_of_recall_that_is_none_is_refused(run: Run) -> None:
    refused = run("lab", "mqar", "--form", "patchs", "--steps", 1)
    assert refused.code == 2
    assert "no form 'patchs'" in refused.err
