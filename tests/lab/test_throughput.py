"""The throughput benchmark at tiny size: whole steps, taken in turns, and rates that follow from them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from s2lic.lab import throughput
from s2lic.lab.throughput import TheirStep, TimedStep, kmac, main, now, ours, rows, seconds
from s2lic.train.optimiser import PRECONDITION_EVERY

TINY = "mbt2018-mean"
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")  # CompressAI's own, as it is imported


def subject(name: str, precision: str, *spent: float) -> TimedStep:
    return TimedStep(name, precision, lambda: None, 20.0, torch.device("cpu"), list(spent))


def test_a_convolution_costs_what_its_formula_says() -> None:
    conv, x = torch.nn.Conv2d(3, 8, 5, padding=2), torch.rand(1, 3, 32, 32)
    assert kmac(lambda: conv(x), 32 * 32) == 25 * 3 * 8 / 1000


def test_a_step_that_renews_counts_by_its_share() -> None:
    spent = seconds([subject("a", "bf16", 1.0, 3.0), subject("a, renewing", "bf16", 22.0), subject("b", "bf16", 5.0)])
    assert spent == pytest.approx({("a", "bf16"): 2 + 20 / PRECONDITION_EVERY, ("b", "bf16"): 5.0})


def test_a_rate_is_multiplications_over_seconds() -> None:
    (row,) = rows([subject("a", "float32", 2.0), subject("a", "bf16", 1.0)], pixels=10**6)
    assert row == ("`a`", "20.0", "2.00", "1.00", "10.0", "20.0")


def test_the_clock_is_the_processor_s_or_waits_for_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    monkeypatch.setattr(
        throughput, "time", SimpleNamespace(process_time=lambda: 3.0, perf_counter=lambda: 10.0 + len(waited))
    )
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert (now(cpu), waited) == (3.0, [])
    assert (now(gpu), waited) == (11.0, [gpu])


@pytest.mark.parametrize("bf16", [False, True])
def test_their_step_moves_their_weights_and_quantiles(bf16: bool) -> None:
    torch.manual_seed(0)
    step = TheirStep(TINY, torch.rand(1, 3, 64, 64), bf16)
    before = {k: v.clone() for k, v in step.net.named_parameters()}
    step()
    moved = {k for k, v in step.net.named_parameters() if not torch.equal(v, before[k])}
    assert {"g_a.0.weight", "g_s.6.weight", "entropy_bottleneck.quantiles"} <= moved


def test_our_step_that_renews_does_so_once() -> None:
    usual, renewing = ours("tiny", torch.rand(2, 3, 64, 64), "float32")
    run = usual.step
    assert isinstance(run, throughput.OurStep)
    state = next(iter(run.optimiser.parts["soap"].state.values()))
    bases = [q.clone() for q in state["Q"]]
    usual.take_turn()
    assert all(map(torch.equal, state["Q"], bases))
    renewing.take_turn()
    assert not all(map(torch.equal, state["Q"], bases))
    assert state["precondition_frequency"] == PRECONDITION_EVERY
    assert (len(usual.seconds), len(renewing.seconds), run.step) == (1, 1, 3)


def test_a_record_and_a_table_come_of_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("")
    main(tmp_path / "record.json", page, "tiny", [TINY], batch=1, crop=64, rounds=1)
    found = json.loads((tmp_path / "record.json").read_text())
    assert [(s["step"], s["precision"]) for s in found["steps"]][::3] == [
        ("tiny", "float32"),
        ("tiny, renewing", "bf16"),
    ]
    assert page.read_text().count("\n| `") == 2
    assert "| float32, CPU-s | bf16, CPU-s |" in page.read_text()
