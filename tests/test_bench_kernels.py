"""What the timing of kernels does before and after it asks a GPU."""

from __future__ import annotations

import pytest
import torch
import typer

from scripts import bench_kernels
from scripts.bench_kernels import BEGIN, END, Case, Measured, lines, moved_bytes, page_with


def test_without_a_gpu_it_ends_with_2_and_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(typer.Exit) as ended:
        bench_kernels.main()
    assert ended.value.exit_code == 2
    assert "GPU" in capsys.readouterr().err


def test_bytes_are_those_of_every_tensor_once() -> None:
    assert moved_bytes((torch.zeros(3, 5), torch.zeros(7, dtype=torch.bfloat16))) == 3 * 5 * 4 + 7 * 2


def test_a_kernel_wins_only_where_it_beats_every_peer() -> None:
    assert Measured("a", 1.0, {"eager": 2.0, "sdpa": 1.1}, 0).wins
    assert not Measured("a", 1.0, {"eager": 2.0, "sdpa": 1.0}, 0).wins


def test_a_case_is_timed_with_its_peers_and_its_output_counts_as_moved() -> None:
    one, two = torch.zeros(4), torch.zeros(2)
    case = Case("a", lambda: one, {"eager": lambda: two}, (two,))
    found = case.measured(lambda run: float(run().numel()))
    assert found == Measured("a", 4.0, {"eager": 2.0}, 4 * 4 + 2 * 4)


def test_a_line_has_the_rate_its_share_of_the_ceiling_and_a_dash_for_a_peer_that_is_not() -> None:
    row = lines([Measured("a", 2.0, {"eager": 4.0, "compiled": 3.0}, 3 * 10**9)], 3000.0).splitlines()[-1]
    assert row == "| a | 2.000 | 4.000 | 3.000 | - | 1500 | 50 % | yes |"


def test_the_page_keeps_all_but_what_stands_between_the_markers() -> None:
    page = page_with("before\n", "old")
    assert page_with(page, "new") == f"before\n\n{BEGIN}\n\nnew\n\n{END}\n"
