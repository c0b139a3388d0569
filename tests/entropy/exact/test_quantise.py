"""Integers of layers: near the float ones, and below 2^24 whatever comes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.entropy.exact.convert import quantised
from s2lic.entropy.exact.fixed import EXACT, FixedPoint, extent
from s2lic.entropy.exact.layers import PRE, ExactActivated, ExactAffine
from s2lic.entropy.exact.networks import ExactEntropy
from s2lic.entropy.exact.quantise import WEIGHT_BITS, affine, gelu
from s2lic.entropy.exact.ranges import Range
from tests.entropy.exact.networks import integers, noisy
from tests.exporting import ranges_on_noise


def grid(channels: int, exponent: float = 6.0) -> FixedPoint:
    return FixedPoint.of(torch.full((channels,), exponent, dtype=torch.float64), -512, 511)


def floats(found: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().float() for name, value in found.items()}


def test_a_layer_of_integers_lies_within_two_steps_of_the_layer() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(12, 8, 3, padding=1)
    x = torch.randint(-512, 512, (1, 12, 9, 9))
    out = layer(x / 2**6)
    found, given = gelu(layer, grid(12), Range.of(out, 1))
    steps = ExactActivated(floats(found))(x.float())
    assert (steps / 2 ** float(given.exponent[0]) - F.gelu(out)).abs().max() <= 2 / 2 ** float(given.exponent[0])


@pytest.mark.parametrize("bias", [0.0, 1e3, 1e6])
@pytest.mark.parametrize("source", [4, 400])
def test_weights_give_up_bits_until_no_sum_reaches_2_to_the_24(source: int, bias: float) -> None:
    torch.manual_seed(1)
    layer = nn.Conv2d(source, 3, 5, padding=2)
    nn.init.constant_(layer.bias, bias)  # type: ignore[arg-type]
    found = affine(layer, grid(source), torch.zeros(3))
    weight = found["weight"].flatten(1)
    limits = torch.full((weight.shape[1],), -512.0), torch.full((weight.shape[1],), 511.0)
    worst = extent(weight, *limits) + found["bias"].abs()
    assert (worst < EXACT).all()
    most = weight.abs().amax(1)
    full = most >= 2 ** (WEIGHT_BITS - 2)
    assert (full | (2 * worst >= EXACT * (1 - 1e-2))).all()  # another bit would be one too many


def test_a_transposed_convolution_is_bounded_by_the_taps_of_one_parity() -> None:
    torch.manual_seed(2)
    layer = nn.ConvTranspose2d(40, 6, 4, stride=2, padding=1)
    found = affine(layer, grid(40), torch.full((6,), 3.0))
    x = torch.randint(-512, 512, (1, 40, 5, 6))
    exact = ExactAffine(floats(found), PRE).doubled(x.float())
    assert (exact / 2**3 - layer(x / 2**6)).abs().max() <= 2 / 2**3
    taps = found["weight"][:, :, 0::2, 1::2].permute(1, 0, 2, 3).flatten(1)
    assert (taps.abs().sum(1) * 512 + found["bias"].abs() < EXACT).all()


def test_every_weight_of_a_model_fits_its_type_in_the_file() -> None:
    found = integers(0)
    for name, value in found.items():
        bits = 8 if name.endswith(("shift", "exponent")) else 16 if name.endswith(("weight", "table")) else 32
        assert value.abs().max() < 2 ** (bits - 1), name
        assert torch.equal(value, value.round()), name


def test_what_is_derived_passes_gradients_to_the_float_networks() -> None:
    entropy = noisy(0)
    ranges = ranges_on_noise(entropy)
    networks = ExactEntropy(entropy.row, quantised(entropy, ranges))
    z, spent = torch.ones(1, entropy.row.side, 2, 2, dtype=torch.float64), []

    def quantise(mu: Tensor, rows: Tensor, first: int, at: Tensor) -> Tensor:
        spent.append(rows.sum() + mu.sum())
        return torch.zeros_like(mu)

    y_hat = networks(z, torch.tensor([5000]), (6, 7), quantise)
    (sum(spent, y_hat.sum()) / 64).backward()  # type: ignore[no-untyped-call]
    silent = [
        name
        for name, parameter in entropy.named_parameters()
        if name.startswith(("h_s", "walk")) and (parameter.grad is None or not parameter.grad.abs().max() > 0)
    ]
    assert all("bias.fc" in name for name in silent), silent
