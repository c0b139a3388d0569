"""What a plan leaves open, and who decides it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from s2lic.errors import UsageError, WeightsError
from s2lic.train.plan import Plan

PLAN = Plan("tiny", Path("nowhere"), steps=1)


def test_a_stored_plan_comes_back_from_where_its_folder_is(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    plan = replace(PLAN, out=tmp_path / "a", bf16=False, lr=3e-4, grow=Path("nano.safetensors"), data=(tmp_path,))
    plan.save()
    moved = (tmp_path / "a").rename(tmp_path / "b")
    assert Plan.load(moved) == replace(plan, out=moved)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"config": "tiny", "what": 1}', '{"config": 1, "data": 5}'])
def test_a_damaged_plan_is_a_named_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(WeightsError, match=r"plan\.json cannot be read as a run's plan"):
        Plan.load(tmp_path)
    with pytest.raises(WeightsError, match=r"plan\.json cannot be read"):
        Plan.load(tmp_path / "nowhere")


def test_weights_to_start_from_are_named_once() -> None:
    with pytest.raises(UsageError, match="give one of them"):
        replace(PLAN, init=Path("a.safetensors"), grow=Path("b.safetensors"))


@pytest.mark.parametrize("able", [True, False])
def test_bf16_is_for_gpus_and_for_cpus_that_multiply_it_unless_told(
    able: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2lic.train.plan.multiplies_bf16", lambda: able)
    assert (PLAN.reduces("cpu"), PLAN.reduces("cuda")) == (able, True)
    for told in (True, False):
        plan = replace(PLAN, bf16=told)
        assert (plan.reduces("cpu"), plan.reduces("cuda")) == (told, told)
