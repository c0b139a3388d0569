"""What an encoder sends for a residual."""

from __future__ import annotations

import math

import pytest
import torch

from s2lic.entropy.latent_coder import encode_and_decode
from s2lic.entropy.rounding import Aim, Deadzone, nearest, rehearse
from s2lic.weights.store import load
from tests.frozen import MODEL


def cost(symbol: int, residual: float, sigma: float, weight: float) -> float:
    """Weight (residual - symbol)^2 plus the bits of a Gaussian's mass around the symbol."""
    low, high = ((symbol + half) / sigma / math.sqrt(2) for half in (-0.5, 0.5))
    mass = (math.erf(high) - math.erf(low)) / 2
    return weight * (residual - symbol) ** 2 - math.log2(max(mass, 1e-9))


@pytest.mark.parametrize("weight", [0.5, 3.0, 20.0])
@pytest.mark.parametrize("sigma", [0.2, 1.0, 6.0])
def test_it_takes_the_cheaper_of_the_nearest_and_the_one_towards_zero(weight: float, sigma: float) -> None:
    residual = torch.linspace(-4.3, 4.3, 173, dtype=torch.float64)[None, :, None]
    found = Deadzone(torch.tensor([9.0, weight]))(residual, torch.full_like(residual, sigma), 1)
    for value, symbol in zip(residual.flatten().tolist(), found.flatten().tolist(), strict=True):
        near = round(value)
        lower = near - (near > 0) + (near < 0)
        costs = [cost(each, value, sigma, weight) for each in (near, lower)]
        assert symbol in (near, lower)
        assert cost(int(symbol), value, sigma, weight) <= min(costs) + 1e-6


def test_it_is_the_nearest_where_error_is_worth_everything() -> None:
    residual = torch.linspace(-3.2, 3.2, 50)[None, :, None]
    sigma = torch.ones_like(residual)
    assert torch.equal(Deadzone(torch.tensor([1e9]))(residual, sigma, 0), nearest(residual, sigma, 0))
    assert torch.equal(nearest(residual, sigma, 0), torch.round(residual))


def test_each_channel_has_its_own_weight() -> None:
    residual, sigma = torch.full((1, 1, 2), 0.6), torch.full((1, 1, 2), 0.2)
    assert Deadzone(torch.tensor([0.0, 0.0, 1e9]))(residual, sigma, 1).tolist() == [[[0.0, 1.0]]]


LEVELS = torch.tensor([6000])


@pytest.mark.parametrize("finer", [False, True])
def test_it_gives_what_coding_gives_and_about_its_bits(finer: bool) -> None:
    weights, generator = load(MODEL), torch.Generator().manual_seed(1)
    entropy, channels = weights.model.entropy, weights.model.row.entropy.latent
    y = torch.randn(1, channels, 12, 20, generator=generator, dtype=torch.float64)
    aim = Aim(y + 0.3, Deadzone(torch.full((channels,), 4.0)))
    fineness = 1 + torch.rand(1, 12, 20, generator=generator, dtype=torch.float64) if finer else None
    (coded,), y_hat = encode_and_decode(entropy, weights.tables, y, LEVELS, fineness=fineness, aim=aim)
    found = rehearse(entropy, y, LEVELS, aim, fineness)
    assert torch.equal(found.y_hat, y_hat)
    assert abs(found.bits - 8 * len(coded.payload)) <= 0.1 * 8 * len(coded.payload)


def test_what_is_sent_lies_within_a_step_of_what_is_wanted() -> None:
    weights = load(MODEL)
    entropy, channels = weights.model.entropy, weights.model.row.entropy.latent
    y = torch.randn(1, channels, 6, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    gain, _ = entropy.gains(entropy.quality(LEVELS))
    plain = rehearse(entropy, y, LEVELS, Aim(y)).sent - y * gain
    assert plain.abs().max() <= 0.5
    zeroed = rehearse(entropy, y, LEVELS, Aim(y, Deadzone(torch.zeros(channels)))).sent - y * gain
    assert 0.5 < zeroed.abs().max() <= 1.5
