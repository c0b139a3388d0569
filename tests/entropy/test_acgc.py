"""ACGC: two branches that gate each other."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.entropy.acgc import (
    GRID_MAX,
    OFFSET_REACH,
    Acgc,
    AdjacentContext,
    AxisBias,
    DeformableAttention,
    Depthwise,
    Gate,
    GlobalContext,
    reference_points,
)
from s2lic.kernels.deformable_attention.naive import sample_points
from tests.references.attention import axis_bias, bilinear, multi_head, position_bias
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


DEFORMABLE_SOURCE, DEFORMABLE_DIM, WIDTH = 6, 8, 4
SIZES = [(1, 1), (1, 9), (7, 1), (5, 8), (16, 16)]
LIKE = torch.zeros(1, dtype=torch.float64)


def deformable_draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def deformable_make(std: float = 0.3) -> DeformableAttention:
    torch.manual_seed(0)
    return shaken(DeformableAttention(DEFORMABLE_SOURCE, DEFORMABLE_DIM, WIDTH).double(), std)


def still(net: DeformableAttention) -> DeformableAttention:
    """Without offsets and without position bias."""
    with torch.no_grad():
        for layer in (net.to_offset, net.row_bias.fc2, net.col_bias.fc2):
            layer.weight.zero_()
    return net


def moving(net: DeformableAttention, rows: int, cols: int) -> DeformableAttention:
    """The same net with every point moved by whole latents, through its own offset layers."""
    net = still(net)
    with torch.no_grad():
        net.spread.weight.zero_()
        net.spread.bias.fill_(1.0)
        gelu = 0.5 * (1 + math.erf(math.sqrt(0.5)))
        for line, shift in enumerate((rows, cols)):
            net.to_offset.weight[line].fill_(math.atanh(shift / OFFSET_REACH) / gelu / DEFORMABLE_DIM)
    return net


def projected(net: DeformableAttention, x: Tensor) -> tuple[Tensor, Tensor]:
    """Queries (N, C) and the source as tokens (N, S) of one map (S, H, W)."""
    tokens = x.flatten(1).T
    return tokens @ net.to_q.weight[:, :, 0, 0].T + net.to_q.bias, tokens


def plain(net: DeformableAttention, x: Tensor, keys: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    """Multi-head attention of the map x (S, H, W) to key tokens (G, S) -> (C, H, W)."""
    q, _ = projected(net, x)
    k, v = (keys @ net.to_kv.weight.T + net.to_kv.bias).chunk(2, dim=1)
    return multi_head(q, k, v, net.heads, bias).T.unflatten(1, x.shape[1:])


@pytest.mark.parametrize(("height", "width"), SIZES)
@torch.no_grad()
def test_without_offsets_and_bias_the_full_grid_gives_plain_attention(height: int, width: int) -> None:
    net, x = still(deformable_make()), deformable_draw(2, DEFORMABLE_SOURCE, height, width)
    expected = torch.stack([plain(net, one, one.flatten(1).T) for one in x])
    torch.testing.assert_close(net(x), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("rows", "cols"), [(1, -1), (-1, 0), (0, 1)])
@torch.no_grad()
def test_offsets_of_whole_latents_gather_by_index(rows: int, cols: int) -> None:
    net, x = moving(deformable_make(), rows, cols), deformable_draw(1, DEFORMABLE_SOURCE, 6, 9)
    at_row = (torch.arange(6) + rows).clamp(0, 5)
    at_col = (torch.arange(9) + cols).clamp(0, 8)
    gathered = x[0][:, at_row][:, :, at_col].flatten(1).T
    expected = plain(net, x[0], gathered)
    torch.testing.assert_close(net(x)[0], expected, rtol=0, atol=1e-10)
    assert (net(x) - still(net)(x)).abs().max() > 1e-3


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5), (4, 3), (18, 3)])
@torch.no_grad()
def test_the_whole_equals_its_parts_added_up_pair_by_pair(height: int, width: int) -> None:
    net, x = deformable_make(), deformable_draw(1, DEFORMABLE_SOURCE, height, width)
    points = net.points(net.to_q(x))[0]
    bias = position_bias(net, height, width, points)
    expected = plain(net, x[0], bilinear(x[0], points), bias)
    torch.testing.assert_close(net(x)[0], expected, rtol=0, atol=1e-10)


@torch.no_grad()
def test_the_bias_of_an_axis_depends_on_the_distance_alone() -> None:
    net = shaken(AxisBias(3).double(), 0.5)
    at = torch.tensor([[0.0, 2.5], [-1.0, 3.0]], dtype=torch.float64)
    out = net(4, at)
    assert out.shape == (2, 3, 4, 2)
    for picture, line, key in [(0, 0, 0), (0, 3, 1), (1, 2, 0)]:
        expected = axis_bias(net, at[picture, key] - line)
        torch.testing.assert_close(out[picture, :, line, key], expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(out[0, :, 3, 0], out[1, :, 2, 0], rtol=0, atol=1e-12)


def test_gradients_reach_the_offsets_and_the_bias() -> None:
    net, x = deformable_make(), deformable_draw(1, DEFORMABLE_SOURCE, 5, 7)
    net(x).pow(2).sum().backward()
    for layer in (net.to_offset, net.spread, net.row_bias.fc1, net.col_bias.fc1):
        assert layer.weight.grad is not None
        assert layer.weight.grad.abs().max() > 1e-6


def test_the_gradient_of_a_point_is_the_slope_of_the_map() -> None:
    x = torch.arange(5.0, dtype=torch.float64).view(1, 1, 5, 1) * 3 + torch.arange(4.0) * 7
    at = torch.tensor([[[1.3, 2.6]]], dtype=torch.float64, requires_grad=True)
    out = sample_points(x, at)
    out.sum().backward()
    assert out.item() == pytest.approx(1.3 * 3 + 2.6 * 7)
    assert at.grad is not None
    assert at.grad.flatten().tolist() == pytest.approx([3, 7])


@pytest.mark.parametrize(
    ("height", "width", "points"),
    [(1, 1, 1), (1, 40, 16), (16, 16, 256), (17, 5, 80), (40, 23, 256), (600, 900, 256)],
)
def test_there_are_at_most_256_points_whatever_the_size(height: int, width: int, points: int) -> None:
    assert points == min(height, GRID_MAX) * min(width, GRID_MAX)
    grid = reference_points(height, width, LIKE)
    assert grid.shape == (points, 2)
    assert (grid >= 0).all()
    assert (grid <= torch.tensor([height - 1, width - 1])).all()


@torch.no_grad()
def test_a_large_map_is_attended_at_256_points() -> None:
    net = deformable_make()
    assert net.points(net.to_q(deformable_draw(1, DEFORMABLE_SOURCE, 33, 48))).shape == (1, 256, 2)


def test_up_to_16_the_grid_is_every_latent() -> None:
    grid = reference_points(16, 3, LIKE)
    assert grid.tolist() == [[r, c] for r in range(16) for c in range(3)]


def test_beyond_16_the_points_are_the_middles_of_equal_cells() -> None:
    grid = reference_points(40, 1, LIKE)
    expected = [[2.5 * i + 0.75, 0] for i in range(16)]
    torch.testing.assert_close(grid, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize(("height", "width"), [(5, 8), (20, 40)])
@torch.no_grad()
def test_no_point_strays_farther_than_its_reach(height: int, width: int) -> None:
    net = deformable_make(3.0)
    points = net.points(10 * deformable_draw(1, DEFORMABLE_DIM, height, width))[0]
    cell = torch.tensor([max(height / GRID_MAX, 1), max(width / GRID_MAX, 1)])
    strayed = ((points - reference_points(height, width, LIKE)) / cell).abs()
    assert 0.9 * OFFSET_REACH < strayed.max() <= OFFSET_REACH * (1 + 1e-12)


@pytest.mark.parametrize(("height", "width"), SIZES)
@torch.no_grad()
def test_points_beyond_the_edge_take_the_edge(height: int, width: int) -> None:
    x = deformable_draw(1, 3, height, width)
    far = torch.tensor([[-9.0, -0.4], [height + 5.0, width - 0.9], [-0.1, width + 3.0]]).double()
    torch.testing.assert_close(sample_points(x, far[None])[0], bilinear(x[0], far), rtol=0, atol=1e-12)
    corners = torch.stack([x[0, :, 0, 0], x[0, :, -1, -1]])
    at = torch.tensor([[-7.0, -7.0], [99.0, 99.0]]).double()
    torch.testing.assert_close(sample_points(x, at[None])[0], corners, rtol=0, atol=1e-12)


@torch.no_grad()
def test_samples_are_bilinear_at_random_points_of_each_picture() -> None:
    x, at = deformable_draw(2, 3, 6, 4), deformable_draw(2, 20, 2, seed=1) * 4 + 2
    expected = torch.stack([bilinear(one, points) for one, points in zip(x, at, strict=True)])
    torch.testing.assert_close(sample_points(x, at), expected, rtol=0, atol=1e-12)


def test_a_narrow_attention_has_one_head() -> None:
    assert DeformableAttention(DEFORMABLE_SOURCE, 8, 16).heads == 1
    assert DeformableAttention(DEFORMABLE_SOURCE, 32, 16).heads == 2
