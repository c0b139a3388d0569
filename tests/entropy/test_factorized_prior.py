"""The factorised prior: a distribution for each channel and anchor quality, and its table rows."""

from __future__ import annotations

import pytest
import torch

from s2lic.entropy.factorized_prior import TAIL, FactorizedPrior
from s2lic.entropy.likelihood import LIKELIHOOD_MIN
from tests.references.weights import shaken

ANCHORS, CHANNELS = 3, 4


@pytest.fixture
def prior() -> FactorizedPrior:
    torch.manual_seed(0)
    return shaken(FactorizedPrior(ANCHORS, CHANNELS).double(), 0.05)


def every_anchor() -> torch.Tensor:
    return torch.arange(ANCHORS)


@torch.no_grad()
def test_the_cumulative_rises_from_0_to_1(prior: FactorizedPrior) -> None:
    x = torch.linspace(-600, 600, 2001, dtype=torch.float64).expand(ANCHORS, CHANNELS, -1)
    cumulative = prior.logits(x, every_anchor()).sigmoid()
    assert (cumulative.diff(dim=-1) >= 0).all()
    assert cumulative[..., 0].max() < 1e-9
    assert cumulative[..., -1].min() > 1 - 1e-9


@torch.no_grad()
def test_a_likelihood_is_the_cumulative_over_one_step(prior: FactorizedPrior) -> None:
    z = torch.linspace(-6, 6, 12, dtype=torch.float64).expand(ANCHORS, CHANNELS, 12)
    anchors = every_anchor()
    high, low = (prior.logits(z + side, anchors).sigmoid() for side in (0.5, -0.5))
    mass = prior(z.unflatten(2, (3, 4)), anchors).flatten(2)
    torch.testing.assert_close(mass, high - low, rtol=0, atol=1e-12)


@torch.no_grad()
def test_likelihoods_over_the_integers_sum_to_1(prior: FactorizedPrior) -> None:
    z = torch.arange(-400, 401, dtype=torch.float64).expand(ANCHORS, CHANNELS, -1)
    total = prior(z.unsqueeze(3), every_anchor()).sum((2, 3))
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=801 * LIKELIHOOD_MIN)


@torch.no_grad()
def test_the_right_tail_is_as_precise_as_the_left(prior: FactorizedPrior) -> None:
    """1 - (1 - tiny) is 0 in floating point; masses beyond the median must not be."""
    z = prior.quantiles(1 - 1e-7).ceil()[:, :, None, None]
    exact = (
        prior.logits(z[..., 0] - 0.5, every_anchor()),
        prior.logits(z[..., 0] + 0.5, every_anchor()),
    )
    expected = (-exact[0]).sigmoid() - (-exact[1]).sigmoid()
    mass = prior(z, every_anchor())[..., 0]
    torch.testing.assert_close(mass, expected.clamp(min=LIKELIHOOD_MIN), rtol=1e-12, atol=0)
    assert mass.max() < 1e-6


@torch.no_grad()
def test_each_picture_uses_the_density_of_its_own_anchor(prior: FactorizedPrior) -> None:
    z = torch.randn(2, CHANNELS, 3, 2, dtype=torch.float64)
    both = prior(z, torch.tensor([2, 0]))
    first, second, other = (prior(z[i : i + 1], torch.tensor([anchor]))[0] for i, anchor in ((0, 2), (1, 0), (1, 1)))
    torch.testing.assert_close(both, torch.stack([first, second]), rtol=0, atol=1e-14)
    assert (both[1] - other).abs().max() > 1e-3


@pytest.mark.parametrize("mass", [TAIL, 0.01, 0.5, 0.99, 1 - TAIL])
@torch.no_grad()
def test_the_cumulative_at_a_quantile_is_its_mass(prior: FactorizedPrior, mass: float) -> None:
    at = prior.quantiles(mass)
    assert at.shape == (ANCHORS, CHANNELS)
    cumulative = prior.logits(at.unsqueeze(2), every_anchor()).sigmoid()
    torch.testing.assert_close(cumulative, torch.full_like(cumulative, mass), rtol=0, atol=1e-9 * min(1, mass * 1e3))


@torch.no_grad()
def test_rows_match_the_likelihoods_and_reach_both_tails(prior: FactorizedPrior) -> None:
    centre = prior.quantiles(0.5) + 0.3
    rows = prior.pmfs(centre)
    low, high = (prior.quantiles(m).flatten() for m in (TAIL, 1 - TAIL))
    middle = centre.flatten()
    assert len(rows) == ANCHORS * CHANNELS
    for i, (first, mass) in enumerate(rows):
        anchor, channel = divmod(i, CHANNELS)
        last = first + len(mass) - 1
        z = torch.zeros(1, CHANNELS, len(mass), 1, dtype=torch.float64)
        z[0, channel, :, 0] = torch.arange(first, last + 1) + middle[i]
        expected = prior(z, torch.tensor([anchor]))[0, channel, :, 0]
        torch.testing.assert_close(mass, expected, rtol=0, atol=1e-14)
        assert first <= min(low[i] - middle[i], -16)
        assert last >= max(high[i] - middle[i], 16)
        assert mass.sum().item() == pytest.approx(1, abs=2.5 * TAIL)


@torch.no_grad()
def test_rows_reach_16_symbols_even_where_the_density_is_a_spike() -> None:
    prior = FactorizedPrior(1, 2).double()
    for matrix in prior.matrices:
        matrix.add_(6)
    spike = prior.quantiles(1 - TAIL) - prior.quantiles(TAIL)
    assert spike.max() < 4
    for first, mass in prior.pmfs(prior.quantiles(0.5)):
        assert first <= -16
        assert first + len(mass) - 1 >= 16
