"""A wrong kernel is not timed, and what cannot be done is a result."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from s2lic.errors import UsageError
from s2lic.lab.attnbench import run
from s2lic.lab.attnbench.kernels import KERNELS
from s2lic.lab.attnbench.run import (
    DIRECTIONS,
    OK,
    OUT_OF_MEMORY,
    TOO_LONG,
    UNSUPPORTED,
    WRONG,
    AttentionCase,
    AttentionSettings,
    cases,
    measure,
)

QUICK = AttentionSettings(repeats=2)


def test_a_right_kernel_is_timed_and_its_products_are_counted() -> None:
    row = measure(AttentionCase("windows", "window", 16, 24), QUICK)
    assert row.status == OK
    assert row.macs == 2 * 6 * 64 * 64 * QUICK.heads * QUICK.width
    assert row.error is not None
    assert row.error < 1e-5
    assert row.ms20 is not None
    assert row.ms50 is not None
    assert row.ms80 is not None
    assert 0 < row.ms20 <= row.ms50 <= row.ms80
    assert row.sent_bytes is None


@pytest.mark.parametrize(
    ("kernel", "mask", "ranks"),
    [("windows", "window", 1), ("streamed", "slices", 1), ("listed", "uneven cells", 1), ("ring", "checkerboard", 2)],
)
def test_a_backward_pass_is_checked_against_the_gradients_of_the_matrix_and_has_five_products(
    kernel: str, mask: str, ranks: int
) -> None:
    forward, row = (measure(AttentionCase(kernel, mask, 16, 24, ranks, one), QUICK) for one in DIRECTIONS)
    assert (row.status, row.direction) == (OK, "backward")
    assert 2 * row.macs == 5 * forward.macs
    assert row.error is not None
    assert 0 < row.error < 1e-4
    assert row.ms50 is not None
    assert row.ms50 > 0
    assert row.sent_bytes is None


def test_a_kernel_with_a_wrong_gradient_is_not_timed_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = KERNELS["streamed"].run

    def half(*args: object) -> torch.Tensor:
        out = plain(*args)  # type: ignore[arg-type]
        return (out + out.detach()) / 2

    monkeypatch.setitem(run.KERNELS, "streamed", dataclasses.replace(KERNELS["streamed"], run=half))
    forward, backward = (measure(AttentionCase("streamed", "full", 16, 24, 1, one), QUICK) for one in DIRECTIONS)
    assert (forward.status, backward.status, backward.ms50) == (OK, WRONG, None)


def test_ranks_are_timed_with_what_they_send() -> None:
    row = measure(AttentionCase("ring", "raster", 8, 8, 4), QUICK)
    assert (row.status, row.sent_bytes) == (OK, 3 * 2 * 64 * QUICK.heads * QUICK.width * 4)


def test_a_row_says_what_it_was_computed_in_and_doubles_are_held_to_more() -> None:
    case = AttentionCase("listed", "even cells", 16, 24)
    single, double = (measure(case, dataclasses.replace(QUICK, dtype=one)) for one in ("float32", "float64"))
    assert (single.status, single.dtype, double.status, double.dtype) == (OK, "float32", OK, "float64")
    assert single.error is not None
    assert double.error is not None
    assert double.error < 1e-10 < single.error
    with pytest.raises(UsageError, match="no type 'float16'"):
        AttentionSettings("float16")


def test_what_a_kernel_cannot_do_is_unsupported() -> None:
    assert measure(AttentionCase("windows", "raster", 16, 24), QUICK).status == UNSUPPORTED


@pytest.mark.parametrize("value", [1.0, torch.nan])
def test_a_wrong_kernel_is_not_timed(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = dataclasses.replace(KERNELS["fused"], run=lambda q, k, v, pattern, size: torch.full_like(q, value))
    monkeypatch.setitem(run.KERNELS, "fused", broken)
    row = measure(AttentionCase("fused", "full", 16, 24), QUICK)
    assert (row.status, row.ms50) == (WRONG, None)


def test_memory_that_is_not_there_is_a_result_and_the_limit_is_lifted_again() -> None:
    case = AttentionCase("dense", "full", 64, 96)
    assert measure(case, dataclasses.replace(QUICK, memory=2**26, macs_max=1e12)).status == OUT_OF_MEMORY
    assert torch.zeros(2**27, dtype=torch.uint8).numel() == 2**27


def test_too_much_work_is_a_result_of_those_who_compute_all_pairs() -> None:
    small = dataclasses.replace(QUICK, macs_max=1e8)
    assert measure(AttentionCase("dense", "window", 48, 48), small).status == TOO_LONG
    assert measure(AttentionCase("windows", "window", 48, 48), small).status == OK


def test_cases_are_all_combinations_and_names_are_checked() -> None:
    found = cases(["dense", "fused"], ["full"], ["256"], [8, 4], [1, 2])
    assert len(found) == 2 * (2 + 3)
    assert found[0] == AttentionCase("dense", "full", 32, 32)
    both = cases(["dense"], ["full"], ["256"], [8], [1, 2], DIRECTIONS)
    assert [case.direction for case in both] == 4 * ["forward", "backward"]
    for names in ((["flash"], ["full"], ["256"]), (["dense"], ["x"], ["256"]), (["dense"], ["full"], ["8k"])):
        with pytest.raises(UsageError, match="there are"):
            cases(*names, [8], [1])
    with pytest.raises(UsageError, match="no stride '3'; there are 2, 4, 8"):
        cases(["dense"], ["full"], ["256"], [8, 3], [1])


@pytest.mark.parametrize("limit", [math.nan, -1.0])
def test_a_limit_that_nothing_can_be_compared_with_is_refused(limit: float) -> None:
    with pytest.raises(UsageError, match="--limit takes a number from 0 up"):
        AttentionSettings(macs_max=limit)
