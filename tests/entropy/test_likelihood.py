"""Masses of integers under a Gaussian, and gradients past roundings and bounds."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest
import torch

from s2lic.entropy.likelihood import (
    LIKELIHOOD_MIN,
    bits,
    gaussian_likelihood,
    lower_bound,
    noisy,
    round_through,
)


@pytest.mark.parametrize(
    ("x", "slope", "passed"),
    [
        (2.0, 1.0, True),  # above the bound: always
        (2.0, -1.0, True),
        (1.0, 1.0, True),  # on the bound: like above
        (0.5, 1.0, False),  # below: descent would lower x further
        (0.5, -1.0, True),  # below: descent raises x back
    ],
)
def test_below_the_bound_only_gradients_that_raise_x_pass(x: float, slope: float, passed: bool) -> None:
    value = torch.tensor([x], requires_grad=True)
    out = lower_bound(value, 1.0)
    (slope * out).sum().backward()
    assert value.grad is not None
    assert out.item() == max(x, 1.0)
    assert value.grad.item() == (slope if passed else 0.0)


@pytest.mark.parametrize("sigma", [0.11, 0.5, 1.0, 7.3, 256.0])
def test_the_likelihood_is_a_difference_of_cumulatives(sigma: float) -> None:
    residual = torch.tensor([0.0, 0.3, -0.3, 1.0, -2.0, 5.7], dtype=torch.float64) * sigma
    cdf = NormalDist(0, sigma).cdf
    expected = [max(cdf(r + 0.5) - cdf(r - 0.5), LIKELIHOOD_MIN) for r in residual.tolist()]
    mass = gaussian_likelihood(residual, torch.tensor(sigma, dtype=torch.float64))
    assert mass.tolist() == pytest.approx(expected, rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("sigma", [0.11, 1.0, 7.3, 100.0])
@pytest.mark.parametrize("shift", [0.0, 0.37])
def test_likelihoods_over_all_integers_sum_to_1(sigma: float, shift: float) -> None:
    reach = math.ceil(9 * sigma) + 2
    residual = torch.arange(-reach, reach + 1, dtype=torch.float64) + shift
    mass = gaussian_likelihood(residual, torch.tensor(sigma, dtype=torch.float64))
    assert mass.sum().item() == pytest.approx(1, abs=len(residual) * LIKELIHOOD_MIN)


def test_the_likelihood_is_even_to_the_bit() -> None:
    residual = torch.linspace(0, 9, 50, dtype=torch.float64)
    sigma = torch.tensor(1.7, dtype=torch.float64)
    assert torch.equal(gaussian_likelihood(residual, sigma), gaussian_likelihood(-residual, sigma))


def test_a_hopeless_symbol_costs_the_least_likelihood_and_pulls_sigma_up() -> None:
    sigma = torch.tensor([0.11], requires_grad=True)
    mass = gaussian_likelihood(torch.tensor([30.0]), sigma)
    assert mass.item() == pytest.approx(LIKELIHOOD_MIN)
    (-gaussian_likelihood(torch.tensor([0.6]), sigma).log()).sum().backward()
    assert sigma.grad is not None
    assert sigma.grad.item() < 0


def test_rounding_lets_gradients_through() -> None:
    x = torch.tensor([0.4, 0.6, -1.7], requires_grad=True)
    out = round_through(x)
    (out * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad is not None
    assert out.tolist() == [0.0, 1.0, -2.0]
    assert x.grad.tolist() == [1.0, 2.0, 3.0]


def test_noise_is_uniform_over_one_step() -> None:
    torch.manual_seed(0)
    noise = noisy(torch.zeros(100_000))
    assert noise.abs().max() <= 0.5
    assert noise.mean().item() == pytest.approx(0, abs=0.005)
    assert noise.var().item() == pytest.approx(1 / 12, rel=0.02)


def test_bits_are_summed_a_picture() -> None:
    likelihood = torch.tensor([[[0.5, 0.25]], [[1.0, 0.125]]])
    assert bits(likelihood).tolist() == [3.0, 3.0]
    assert bits(likelihood.new_ones(2, 0, 4)).tolist() == [0.0, 0.0]
