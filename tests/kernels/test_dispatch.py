"""Plain torch runs unless a kernel has won a measurement."""

from __future__ import annotations

import pytest
import torch

from s2lic.kernels import dispatch


class OnGpu:
    """What a choice asks of a tensor, where there is no GPU."""

    is_cuda = True


def test_no_kernel_is_used_before_it_has_won_a_measurement() -> None:
    assert not dispatch.WON


@pytest.mark.parametrize(
    ("won", "x", "installed", "expected"),
    [
        ({"op"}, OnGpu(), True, True),
        ({"other"}, OnGpu(), True, False),
        ({"op"}, torch.zeros(1), True, False),
        ({"op"}, OnGpu(), False, False),
    ],
)
def test_a_kernel_needs_a_win_a_gpu_and_triton(
    won: set[str], x: torch.Tensor, installed: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "WON", won)
    monkeypatch.setattr(dispatch, "_installed", lambda: installed)
    assert dispatch.runs_on_triton("op", x) is expected
