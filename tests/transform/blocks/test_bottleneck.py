"""The residual bottleneck: what it computes, what it sees, what it costs."""

from __future__ import annotations

import pytest
import torch

from s2lic.transform.blocks.bottleneck import Bottleneck
from tests.references.weights import shaken


def test_a_bottleneck_starts_as_the_identity() -> None:
    x = torch.randn(2, 8, 5, 7)
    assert torch.equal(Bottleneck(8)(x), x)


@pytest.mark.parametrize("dim", [8, 12, 96])
def test_it_has_two_pointwise_convolutions_and_one_of_3x3_at_half_the_width(dim: int) -> None:
    half = dim // 2
    expected = (dim * half + half) + (9 * half * half + half) + (half * dim + dim)
    assert sum(p.numel() for p in Bottleneck(dim).parameters()) == expected


@torch.no_grad()
def test_it_sees_its_3x3_neighbours_and_nothing_beyond() -> None:
    net, x = shaken(Bottleneck(8).double(), 0.5), torch.randn(1, 8, 9, 9, dtype=torch.float64)
    moved = x.clone()
    moved[..., 4, 4] += 1
    expected = torch.zeros(9, 9, dtype=torch.bool)
    expected[3:6, 3:6] = True
    assert torch.equal((net(moved) - net(x)).abs().amax(1)[0] > 0, expected)
