"""What an encoder sends for a residual."""

from __future__ import annotations

import math

import pytest
import torch

from s2lic.entropy.rounding import RDOQ, nearest


def cost(symbol: int, residual: float, sigma: float, weight: float) -> float:
    """Weight (residual - symbol)^2 plus the bits of a Gaussian's mass around the symbol."""
    low, high = ((symbol + half) / sigma / math.sqrt(2) for half in (-0.5, 0.5))
    mass = (math.erf(high) - math.erf(low)) / 2
    return weight * (residual - symbol) ** 2 - math.log2(max(mass, 1e-9))


@pytest.mark.parametrize("weight", [0.5, 3.0, 20.0])
@pytest.mark.parametrize("sigma", [0.2, 1.0, 6.0])
def test_it_takes_the_cheaper_of_the_nearest_and_the_one_towards_zero(weight: float, sigma: float) -> None:
    residual = torch.linspace(-4.3, 4.3, 173, dtype=torch.float64)[None, :, None]
    found = RDOQ(torch.tensor([9.0, weight]))(residual, torch.full_like(residual, sigma), 1)
    for value, symbol in zip(residual.flatten().tolist(), found.flatten().tolist(), strict=True):
        near = round(value)
        lower = near - (near > 0) + (near < 0)
        costs = [cost(each, value, sigma, weight) for each in (near, lower)]
        assert symbol in (near, lower)
        assert cost(int(symbol), value, sigma, weight) <= min(costs) + 1e-6


def test_it_is_the_nearest_where_error_is_worth_everything() -> None:
    residual = torch.linspace(-3.2, 3.2, 50)[None, :, None]
    sigma = torch.ones_like(residual)
    assert torch.equal(RDOQ(torch.tensor([1e9]))(residual, sigma, 0), nearest(residual, sigma, 0))
    assert torch.equal(nearest(residual, sigma, 0), torch.round(residual))


def test_each_channel_has_its_own_weight() -> None:
    residual, sigma = torch.full((1, 1, 2), 0.6), torch.full((1, 1, 2), 0.2)
    assert RDOQ(torch.tensor([0.0, 0.0, 1e9]))(residual, sigma, 1).tolist() == [[[0.0, 1.0]]]
