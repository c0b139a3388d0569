"""What the timing of kernels does before and after it asks a GPU."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch
import typer
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from s2lic.kernels.dispatch import WON
from s2lic.kernels.window_attention.naive import window_attention
from s2lic.lab import bench_kernels
from s2lic.lab.bench_kernels import (
    OPERATIONS,
    KernelCase,
    KernelTiming,
    by_flex,
    by_sdpa,
    gradients,
    lines,
    moved_bytes,
)


def test_without_a_gpu_nothing_is_yet_measured_and_it_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(typer.Exit) as ended:
        bench_kernels.main()
    assert ended.value.exit_code == 2
    shown = capsys.readouterr()
    assert "GPU" in shown.err
    rows = shown.out.splitlines()[2:]
    assert len(rows) == 2 * len(OPERATIONS)
    assert all(row.count("not yet measured") == 9 for row in rows)
    assert set(OPERATIONS) >= WON


def test_bytes_are_those_of_every_tensor_once() -> None:
    assert moved_bytes((torch.zeros(3, 5), torch.zeros(7, dtype=torch.bfloat16), None, 0.5)) == 3 * 5 * 4 + 7 * 2


def test_a_kernel_wins_only_where_it_beats_every_peer() -> None:
    assert KernelTiming("a", "forward", 1.0, {"eager": 2.0, "SDPA": 1.1}, 0).wins
    assert not KernelTiming("a", "forward", 1.0, {"eager": 2.0, "SDPA": 1.0}, 0).wins


def test_both_passes_of_a_case_are_timed_with_what_they_read_and_write() -> None:
    x, y = torch.ones(4), torch.ones(2)
    case = KernelCase("a", lambda x, y: 3 * x, {"eager": lambda x, y: y}, (x, y), 10.0, backward=False)
    assert list(case.measured(lambda run: float(run().numel()))) == [
        KernelTiming("a", "forward", 4.0, {"eager": 2.0}, 4 * (4 + 2 + 4), 10.0)
    ]
    case = KernelCase("a", lambda x: 3 * x, {}, (x,), 10.0)
    _, back = case.measured(lambda run: 1.0)
    assert back == KernelTiming("a", "backward", 1.0, {}, 4 * (4 + 4), 25.0)


def test_a_backward_pass_gives_the_gradients_of_real_inputs() -> None:
    x, index = torch.tensor([1.0, 2.0]), torch.tensor([0, 1, 1])
    run = gradients(lambda x, index, none: x[index].square(), (x, index, None))
    assert [g.tolist() for g in run()] == [g.tolist() for g in run()] == [[2.0, 8.0]]


@pytest.mark.parametrize("peer", [by_sdpa, by_flex])
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_a_peer_computes_what_the_kernel_does(peer: bench_kernels.Op) -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 1, 5, 2, 16, 16).unbind()
    inputs: tuple[Tensor | None, ...] = (q, k, v, torch.rand(2, 1, 1) + 1, torch.randn(2, 16, 16), None)
    torch.testing.assert_close(peer(*inputs), window_attention(*inputs), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_plain_twin_takes_the_inputs_and_multiplies_as_much_as_is_said(name: str) -> None:
    row = OPERATIONS[name]
    plain = getattr(import_module(f"s2lic.kernels.{name}.naive"), name)
    inputs, flops = row.inputs(torch.device("meta" if row.backward else "cpu"))
    with FlopCounterMode(display=False) as counter:
        plain(*inputs)
    assert flops <= counter.get_total_flops() <= 1.05 * flops


def test_a_line_has_the_rates_their_share_of_the_ceiling_and_a_dash_for_a_peer_that_is_not() -> None:
    found = KernelTiming("a", "forward", 2.0, {"eager": 4.0, "compiled": 3.0}, 3 * 10**9, 5e9)
    row = lines([found], 3000.0).splitlines()[-1]
    assert row == "| a | forward | 2.000 | 4.000 | 3.000 | - | - | 1500 | 50 % | 2.5 | yes |"
