"""The entropy model: the rate while training, and a decoder that needs nothing but the symbols."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from s2lic.entropy.likelihood import SIGMA_MIN, gaussian_likelihood
from s2lic.entropy.model import EntropyModel, TrainOutput
from s2lic.model import CONFIGS
from tests.references.walks import decoder, encoder
from tests.references.weights import shaken

ROW = CONFIGS["tiny"].entropy
LEVELS = torch.tensor([300.0, 9000.0])
# Before the first step nothing passes these layers: what follows them starts at zero.
BEHIND_ZERO = re.compile(r"\.lrp\.fc1\.|\.(row|col)_bias\.fc1\.")


def draw(*shape: int, scale: float = 5.0) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)


def fresh() -> EntropyModel:
    torch.manual_seed(0)
    net = EntropyModel(ROW)
    with torch.no_grad():
        net.h_a.last.weight.mul_(50)  # so that z is not rounded to nothing
    return net


def hard(x: Tensor) -> Tensor:
    """The numbers with which noise rounds."""
    return torch.round(x) - x + 0.5


def unreached(net: EntropyModel) -> set[str]:
    torch.manual_seed(1)
    rated = net(draw(2, ROW.latent, 6, 5).float(), LEVELS)
    (rated.y_bits.sum() + rated.z_bits.sum() + rated.y_hat.pow(2).sum()).backward()
    grads = {name: p.grad for name, p in net.named_parameters()}
    assert all(g is None or g.isfinite().all() for g in grads.values())
    return {name for name, g in grads.items() if g is None or not g.any()}


def test_at_the_start_gradients_reach_all_but_what_stands_before_a_zero_layer() -> None:
    names = unreached(fresh())
    expected = {n for n, _ in fresh().named_parameters() if BEHIND_ZERO.search(n)}
    assert len(expected) == 2 * len(ROW.slices) + 4 * (len(ROW.slices) - 1)
    assert names == expected


def test_gradients_reach_every_parameter_once_the_zero_layers_have_moved() -> None:
    assert unreached(shaken(fresh(), 0.05)) == set()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 4), (5, 7), (1, 9)])
def test_bits_are_finite_and_positive_at_any_size(height: int, width: int) -> None:
    rated = shaken(fresh(), 0.02)(draw(2, ROW.latent, height, width).float(), LEVELS)
    assert rated.y_hat.shape == (2, ROW.latent, height, width)
    for bits in (rated.y_bits, rated.z_bits):
        assert bits.shape == (2,)
        assert bits.isfinite().all()
        assert (bits > 0).all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 7), (4, 18)])
@torch.no_grad()
def test_the_decoder_finds_the_same_mu_and_sigma_without_y(height: int, width: int) -> None:
    net = shaken(fresh().double(), 0.1)
    y, quality = draw(2, ROW.latent, height, width), net.quality(LEVELS)
    z = torch.round(net.hyper_analysis(y, quality))
    gained = y * net.gains(quality)[0]
    quantise, sent = encoder(gained)
    y_hat = net.reconstruct(z, quality, (height, width), quantise)
    for latent in (y, gained):
        latent.copy_(torch.randn_like(latent))
    replay, got = decoder([q.clone() for q in sent.symbols])
    assert torch.equal(net.reconstruct(z.clone(), quality, (height, width), replay), y_hat)
    assert all(map(torch.equal, sent.mu, got.mu))
    assert all(map(torch.equal, sent.sigma, got.sigma))
    assert any(q.any() for q in sent.symbols)


@torch.no_grad()
def test_y_hat_lies_within_a_step_of_y_in_the_gained_domain() -> None:
    net, y = shaken(fresh(), 0.1), draw(2, ROW.latent, 5, 6).float()
    gain, inverse = net.gains(net.quality(LEVELS))
    error = (net(y, LEVELS).y_hat / inverse - y * gain).abs()
    assert error.max() <= 1 + 1e-3  # half a step of rounding, half a step of correction
    assert error.max() > 0.4


@torch.no_grad()
def test_a_fresh_model_undoes_its_gain_and_rounds_once() -> None:
    net, y = fresh(), draw(2, ROW.latent, 5, 6).float()
    gain, _ = net.gains(net.quality(LEVELS))
    error = (net(y, LEVELS).y_hat - y).abs() * gain
    assert 0.45 < error.max() <= 0.5 + 1e-3


def rated_hard(net: EntropyModel, y: Tensor) -> TrainOutput:
    """The training pass with rounding in the place of noise."""
    net.uniform_like = hard
    return net(y, LEVELS)


@torch.no_grad()
def test_with_rounding_for_noise_the_rate_is_that_of_the_symbols() -> None:
    net, y = shaken(fresh(), 0.02), draw(2, ROW.latent, 5, 7).float()
    rated = rated_hard(net, y)
    quality = net.quality(LEVELS)
    z = torch.round(net.hyper_analysis(y, quality))
    quantise, record = encoder(y * net.gains(quality)[0])
    y_hat = net.reconstruct(z, quality, (5, 7), quantise)
    spent = [
        -gaussian_likelihood(q, sigma).log2().flatten(1).sum(1)
        for q, sigma in zip(record.symbols, record.sigma, strict=True)
    ]
    side = -net.prior(z, quality.nearest).log2().flatten(1).sum(1)
    torch.testing.assert_close(rated.y_bits, sum(spent), rtol=1e-4, atol=0)
    torch.testing.assert_close(rated.z_bits, side, rtol=1e-5, atol=0)
    torch.testing.assert_close(rated.y_hat, y_hat, rtol=0, atol=1e-3)


@torch.no_grad()
def test_z_is_rated_with_the_densities_of_the_nearest_anchor() -> None:
    net, y, asked = fresh(), draw(3, ROW.latent, 4, 4).float(), []
    net.prior.register_forward_pre_hook(lambda _, args: asked.append(args[1].tolist()))
    middle = 10_000 / (ROW.anchors - 1) / 2
    net(y, torch.tensor([middle - 1, middle + 1, 10_000.0]))
    assert asked == [[0, 1, ROW.anchors - 1]]


@torch.no_grad()
def test_a_higher_quality_costs_more_bits() -> None:
    net, y = fresh(), draw(1, ROW.latent, 4, 4).float().expand(3, -1, -1, -1)
    bits = net(y, torch.tensor([0.0, 5000.0, 10_000.0])).y_bits
    assert bits[0] < bits[1] < bits[2]


@torch.no_grad()
def test_h_a_sees_y_scaled_down_by_ten_and_not_the_gain() -> None:
    net, y = fresh(), draw(2, ROW.latent, 4, 4).float()
    quality = net.quality(LEVELS)
    assert torch.equal(net.hyper_analysis(y, quality), net.h_a(0.1 * y, quality))


@torch.no_grad()
def test_bf16_leaves_the_bits_float32_and_sigma_bounded() -> None:
    net, y = shaken(fresh(), 0.02), draw(2, ROW.latent, 4, 4).float()
    torch.manual_seed(0)
    exact = net(y, LEVELS)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        rated = net(y, LEVELS)
        quantise, record = encoder(y)
        net.reconstruct(torch.zeros(2, ROW.side, 1, 1), net.quality(LEVELS), (4, 4), quantise)
    assert rated.y_bits.dtype == rated.z_bits.dtype == torch.float32
    assert all((sigma >= SIGMA_MIN).all() for sigma in record.sigma)
    torch.testing.assert_close(rated.y_bits, exact.y_bits, rtol=0.05, atol=0)
