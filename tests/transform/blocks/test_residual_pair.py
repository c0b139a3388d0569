"""The residual pair: what it computes, what it sees, what it costs."""

from __future__ import annotations

import pytest
import torch

from s2lic.transform.blocks.residual_pair import ResidualPair
from tests.references.weights import shaken


def test_a_residual_pair_starts_as_the_identity() -> None:
    x = torch.randn(2, 8, 5, 7)
    assert torch.equal(ResidualPair(8)(x), x)


@pytest.mark.parametrize("dim", [8, 12, 96])
def test_it_has_two_3x3_convolutions_at_full_width(dim: int) -> None:
    assert sum(p.numel() for p in ResidualPair(dim).parameters()) == 2 * (9 * dim * dim + dim)


@torch.no_grad()
def test_it_sees_its_5x5_neighbours_and_nothing_beyond() -> None:
    net, x = shaken(ResidualPair(8).double(), 0.5), torch.randn(1, 8, 9, 9, dtype=torch.float64)
    moved = x.clone()
    moved[..., 4, 4] += 1
    expected = torch.zeros(9, 9, dtype=torch.bool)
    expected[2:7, 2:7] = True
    assert torch.equal((net(moved) - net(x)).abs().amax(1)[0] > 0, expected)
