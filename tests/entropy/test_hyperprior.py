"""h_a and h_s at any size."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from s2lic.entropy.hyperprior import HyperAnalysis, HyperSynthesis, crop
from s2lic.entropy.quality import Quality
from s2lic.model import CONFIGS
from tests.references.weights import shaken

ROW = replace(CONFIGS["tiny"].entropy, latent=6, hyper=5, side=4)
SIZES = [(1, 1), (4, 8), (5, 7), (3, 2), (1, 9)]


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def quality(*levels: float) -> Quality:
    return Quality.of(torch.tensor(levels), ROW.anchors)


@pytest.mark.parametrize(("height", "width"), SIZES)
@torch.no_grad()
def test_z_has_a_quarter_of_ys_size_rounded_up_and_the_features_have_ys(height: int, width: int) -> None:
    z = HyperAnalysis(ROW)(torch.zeros(2, 6, height, width), quality(0, 9))
    assert z.shape == (2, 4, -(-height // 4), -(-width // 4))
    features = HyperSynthesis(ROW)(z, quality(0, 9), height, width)
    assert features.shape == (2, 2 * 6, height, width)


@pytest.mark.parametrize(("height", "width"), [(5, 7), (1, 1)])
@torch.no_grad()
def test_an_odd_size_is_coded_as_if_its_edges_were_repeated(height: int, width: int) -> None:
    net, y = shaken(HyperAnalysis(ROW).double()), draw(1, 6, height, width)
    rows = torch.arange(-(-height // 4) * 4).clamp(max=height - 1)
    cols = torch.arange(-(-width // 4) * 4).clamp(max=width - 1)
    repeated = y[:, :, rows][:, :, :, cols]
    assert torch.equal(net(y, quality(700)), net(repeated, quality(700)))


@torch.no_grad()
def test_features_of_an_odd_size_are_those_of_the_whole_size_cut_off() -> None:
    net, z = shaken(HyperSynthesis(ROW).double()), draw(1, 4, 2, 3)
    whole = net(z, quality(0), 8, 12)
    assert torch.equal(net(z, quality(0), 5, 9), whole[:, :, :5, :9])
    assert torch.equal(crop(whole, 5, 9), whole[:, :, :5, :9])


@torch.no_grad()
def test_h_a_equals_its_five_layers() -> None:
    net, y = shaken(HyperAnalysis(ROW).double()), draw(1, 6, 8, 4)

    def conv(layer: torch.nn.Conv2d, x: Tensor, stride: int = 1) -> Tensor:
        return F.conv2d(x, layer.weight, layer.bias, stride, padding=1)

    x = F.gelu(conv(net.down1, F.gelu(conv(net.first, y)), 2))
    x = F.gelu(conv(net.down2, F.gelu(conv(net.mix, x)), 2))
    scale, shift = net.modulate.table[ROW.anchors - 1][:, :, None, None]
    expected = conv(net.last, x * (1 + scale) + shift)
    torch.testing.assert_close(net(y, quality(10_000)), expected, rtol=0, atol=1e-12)


@torch.no_grad()
def test_h_s_equals_its_five_layers() -> None:
    net, z = shaken(HyperSynthesis(ROW).double()), draw(1, 4, 2, 1)

    def up(layer: torch.nn.ConvTranspose2d, x: Tensor) -> Tensor:
        return F.conv_transpose2d(x, layer.weight, layer.bias, stride=2, padding=1)

    x = F.gelu(up(net.up1, F.gelu(F.conv2d(z, net.first.weight, net.first.bias, padding=1))))
    x = up(net.up2, F.gelu(F.conv2d(x, net.mix.weight, net.mix.bias, padding=1)))
    scale, shift = net.modulate.table[0][:, :, None, None]
    expected = F.conv2d(F.gelu(x * (1 + scale) + shift), net.last.weight, net.last.bias)
    torch.testing.assert_close(net(z, quality(0), 8, 4), expected, rtol=0, atol=1e-12)


@torch.no_grad()
def test_both_see_the_quality() -> None:
    h_a, h_s = shaken(HyperAnalysis(ROW).double()), shaken(HyperSynthesis(ROW).double())
    y, z = draw(1, 6, 4, 4), draw(1, 4, 1, 1)
    assert not torch.equal(h_a(y, quality(0)), h_a(y, quality(500)))
    assert not torch.equal(h_s(z, quality(0), 4, 4), h_s(z, quality(500), 4, 4))
