"""What a plan leaves open, and who decides it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from s2lic.train.plan import Plan

PLAN = Plan("tiny", Path("nowhere"), steps=1)


@pytest.mark.parametrize("able", [True, False])
def test_bf16_is_for_gpus_and_for_cpus_that_multiply_it_unless_told(
    able: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2lic.train.plan.multiplies_bf16", lambda: able)
    assert (PLAN.reduces("cpu"), PLAN.reduces("cuda")) == (able, True)
    for told in (True, False):
        plan = replace(PLAN, bf16=told)
        assert (plan.reduces("cpu"), plan.reduces("cuda")) == (told, told)
