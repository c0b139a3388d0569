"""ACGC: two branches that gate each other."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.entropy.acgc import Acgc, AdjacentContext, Depthwise, Gate, GlobalContext
from tests.references.weights import shaken

SOURCE, DIM = 7, 5


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def make() -> Acgc:
    torch.manual_seed(0)
    return shaken(Acgc(SOURCE, DIM, hidden=6, attention=8, head_width=4).double(), 0.3)


def conv(layer: nn.Conv2d, x: Tensor) -> Tensor:
    padding = layer.weight.shape[2] // 2
    return F.conv2d(x, layer.weight, layer.bias, padding=padding, groups=layer.groups)


def depthwise(net: Depthwise, x: Tensor) -> Tensor:
    assert net.spread.weight.shape[1] == 1
    return conv(net.mix, F.gelu(conv(net.spread, x)))


def gate(net: Gate, x: Tensor) -> Tensor:
    h = conv(net.fc1, x)
    h = (h - h.mean(1, keepdim=True)) / (h.var(1, keepdim=True, unbiased=False) + 1e-5).sqrt()
    h = h * net.norm.weight[:, None, None] + net.norm.bias[:, None, None]
    return 1 / (1 + torch.exp(-conv(net.fc2, F.gelu(h))))


def local(net: AdjacentContext, x: Tensor) -> Tensor:
    return F.gelu(conv(net.conv2, F.gelu(conv(net.conv1, x)))) + depthwise(net.depthwise, x)


def globally(net: GlobalContext, x: Tensor) -> Tensor:
    far = F.gelu(conv(net.conv, net.attention(x)))
    return conv(net.mix, far) + depthwise(net.depthwise, x)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (8, 8), (2, 20)])
@torch.no_grad()
def test_the_context_is_ac_times_c_map_of_ag_plus_ag_times_s_map_of_ac(height: int, width: int) -> None:
    net, x = make(), draw(2, SOURCE, height, width)
    ac, ag = local(net.local, x), globally(net.globally, x)
    c_map = gate(net.channel_map, ag.mean((2, 3), keepdim=True))
    s_map = gate(net.spatial_map, ac)
    assert c_map.shape == (2, DIM, 1, 1)
    assert s_map.shape == (2, 1, height, width)
    torch.testing.assert_close(net(x), ac * c_map + ag * s_map, rtol=0, atol=1e-10)


@torch.no_grad()
def test_gates_lie_between_0_and_1() -> None:
    for net in (make().spatial_map, make().channel_map):
        out = net(5 * draw(2, DIM, 6, 6))
        assert out.min() > 0
        assert out.max() < 1
        assert out.std() > 1e-3


@pytest.mark.parametrize("part", ["local", "globally"])
def test_each_branch_depends_on_every_decoded_channel(part: str) -> None:
    net, x = make(), draw(1, SOURCE, 6, 5).requires_grad_()
    getattr(net, part)(x).pow(2).sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().amax((0, 2, 3)) > 1e-6).all()


@torch.no_grad()
def test_the_local_branch_sees_two_latents_around_and_the_global_one_the_whole_map() -> None:
    net, x = make(), draw(1, SOURCE, 12, 12)
    moved = x.clone()
    moved[:, :, 0, 0] += 1
    near = (net.local(moved) != net.local(x)).any(1)[0]
    expected = torch.zeros(12, 12, dtype=torch.bool)
    expected[:3, :3] = True
    assert torch.equal(near, expected)
    far = (net.globally(moved) - net.globally(x)).abs().amax(1)[0]
    assert (far > 1e-9).all()


def test_gradients_reach_every_weight() -> None:
    net = make()
    net(draw(1, SOURCE, 6, 5)).pow(2).sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []
