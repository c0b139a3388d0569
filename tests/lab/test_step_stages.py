"""The stages of a training step, at tiny size."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from s2lic.lab.step_stages import WHOLE, main, stages
from s2lic.lab.throughput import OurStep

STAGES = {"g_a", "entropy model", "g_s", "backward", "clipping", "SOAP and AdamW", "averaging the weights"}


def test_the_stages_are_all_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock of calls: every reading is one tick, so that a stage without an inner one takes exactly one."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(time, "process_time", lambda: next(ticks))
    found = stages(OurStep("tiny", torch.rand(1, 3, 64, 64), bf16=False), rounds=1)
    assert found == {**dict.fromkeys(STAGES, 1000.0), "loss and rest": 8000.0, WHOLE: 15000.0}


def test_the_table_is_put_into_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- training step: begin -->\nold\n<!-- training step: end -->\nafter\n")
    main("tiny", batch=1, crop=64, rounds=1, page=page)
    text = page.read_text()
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert "old" not in text
    assert all(f"| {stage} |" in text for stage in STAGES)
