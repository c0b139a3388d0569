"""Deformable inter-slice attention: plain when nothing is deformed, and what offsets do."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from s2lic.entropy.deformable import (
    GRID_MAX,
    OFFSET_REACH,
    AxisBias,
    DeformableAttention,
    reference_points,
)
from s2lic.kernels.deformable_attention.naive import sample_points
from tests.references.attention import axis_bias, bilinear, multi_head, position_bias
from tests.references.weights import shaken

SOURCE, DIM, WIDTH = 6, 8, 4
SIZES = [(1, 1), (1, 9), (7, 1), (5, 8), (16, 16)]
LIKE = torch.zeros(1, dtype=torch.float64)


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def make(std: float = 0.3) -> DeformableAttention:
    torch.manual_seed(0)
    return shaken(DeformableAttention(SOURCE, DIM, WIDTH).double(), std)


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
            net.to_offset.weight[line].fill_(math.atanh(shift / OFFSET_REACH) / gelu / DIM)
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
    net, x = still(make()), draw(2, SOURCE, height, width)
    expected = torch.stack([plain(net, one, one.flatten(1).T) for one in x])
    torch.testing.assert_close(net(x), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("rows", "cols"), [(1, -1), (-1, 0), (0, 1)])
@torch.no_grad()
def test_offsets_of_whole_latents_gather_by_index(rows: int, cols: int) -> None:
    net, x = moving(make(), rows, cols), draw(1, SOURCE, 6, 9)
    at_row = (torch.arange(6) + rows).clamp(0, 5)
    at_col = (torch.arange(9) + cols).clamp(0, 8)
    gathered = x[0][:, at_row][:, :, at_col].flatten(1).T
    expected = plain(net, x[0], gathered)
    torch.testing.assert_close(net(x)[0], expected, rtol=0, atol=1e-10)
    assert (net(x) - still(net)(x)).abs().max() > 1e-3


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5), (4, 3), (18, 3)])
@torch.no_grad()
def test_the_whole_equals_its_parts_added_up_pair_by_pair(height: int, width: int) -> None:
    net, x = make(), draw(1, SOURCE, height, width)
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
    net, x = make(), draw(1, SOURCE, 5, 7)
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
    net = make()
    assert net.points(net.to_q(draw(1, SOURCE, 33, 48))).shape == (1, 256, 2)


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
    net = make(3.0)
    points = net.points(10 * draw(1, DIM, height, width))[0]
    cell = torch.tensor([max(height / GRID_MAX, 1), max(width / GRID_MAX, 1)])
    strayed = ((points - reference_points(height, width, LIKE)) / cell).abs()
    assert 0.9 * OFFSET_REACH < strayed.max() <= OFFSET_REACH * (1 + 1e-12)


@pytest.mark.parametrize(("height", "width"), SIZES)
@torch.no_grad()
def test_points_beyond_the_edge_take_the_edge(height: int, width: int) -> None:
    x = draw(1, 3, height, width)
    far = torch.tensor([[-9.0, -0.4], [height + 5.0, width - 0.9], [-0.1, width + 3.0]]).double()
    torch.testing.assert_close(sample_points(x, far[None])[0], bilinear(x[0], far), rtol=0, atol=1e-12)
    corners = torch.stack([x[0, :, 0, 0], x[0, :, -1, -1]])
    at = torch.tensor([[-7.0, -7.0], [99.0, 99.0]]).double()
    torch.testing.assert_close(sample_points(x, at[None])[0], corners, rtol=0, atol=1e-12)


@torch.no_grad()
def test_samples_are_bilinear_at_random_points_of_each_picture() -> None:
    x, at = draw(2, 3, 6, 4), draw(2, 20, 2, seed=1) * 4 + 2
    expected = torch.stack([bilinear(one, points) for one, points in zip(x, at, strict=True)])
    torch.testing.assert_close(sample_points(x, at), expected, rtol=0, atol=1e-12)


def test_a_narrow_attention_has_one_head() -> None:
    assert DeformableAttention(SOURCE, 8, 16).heads == 1
    assert DeformableAttention(SOURCE, 32, 16).heads == 2
