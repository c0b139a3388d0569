"""SwinV2 against slow loops over windows and heads, and properties that loops cannot show."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.kernels.window_attention.naive import cosines
from s2lic.transform.attention.rule import Softmax
from s2lic.transform.blocks import swinv2
from s2lic.transform.blocks.mlp import Mlp
from s2lic.transform.blocks.swinv2 import PositionBias, WindowAttention, log_offsets
from s2lic.transform.config import TransformRow
from s2lic.transform.group import Layer, ResidualGroup, residual_group
from tests.references.swin import attention as slow_attention
from tests.references.swin import block as slow_block
from tests.references.swin import offset_table
from tests.references.weights import shaken

SIZES = [(8, 8), (16, 24), (13, 9), (1, 1), (5, 64), (8, 20)]
DIM, HEADS, WINDOW = 8, 2, 8


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def exact(net: nn.Module) -> nn.Module:
    """The net in float64, its table of offsets too, which is kept in float32."""
    for module in net.double().modules():
        if isinstance(module, PositionBias):
            module.offsets = offset_table((module.offsets.shape[0] + 1) // 2)
    return shaken(net, 0.3)


def last(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H, W, C)."""
    return x.permute(0, 2, 3, 1)


def first(x: Tensor) -> Tensor:
    """(B, H, W, C) -> (B, C, H, W)."""
    return x.permute(0, 3, 1, 2)


def make_group(depth: int) -> ResidualGroup:
    return residual_group(TransformRow((DIM,) * 3, (depth,) * 3, (HEADS,) * 3, 16, WINDOW, 2, 2, 4), 0)


def make_block(shift: int) -> Layer:
    net = exact(Layer(DIM, WindowAttention(DIM, HEADS, WINDOW, shift), Mlp(DIM, 2)))
    with torch.no_grad():
        net.attn.logit_scale[1] = 6.0  # above log 100: the clamp must hold
    return net


@pytest.mark.parametrize("shift", [0, 4])
@pytest.mark.parametrize(("height", "width"), SIZES)
@torch.no_grad()
def test_a_block_equals_loops_over_windows_and_heads(height: int, width: int, shift: int) -> None:
    net, x = make_block(shift), draw(height, width, DIM)
    torch.testing.assert_close(last(net(first(x[None])))[0], slow_block(net, x), rtol=0, atol=1e-10)


@torch.no_grad()
def test_a_window_and_a_shift_of_other_sizes_equal_the_loops() -> None:
    net = exact(WindowAttention(6, 3, 5, 2))
    x = draw(11, 7, 6)
    torch.testing.assert_close(last(net(first(x[None])))[0], slow_attention(net, x), rtol=0, atol=1e-10)


@torch.no_grad()
def test_a_window_that_covers_the_map_gives_softmax_attention_over_all_tokens() -> None:
    net, x = make_block(4).attn, draw(8, 8, DIM)
    tokens = x.flatten(0, 1)
    qkv = tokens @ net.qkv.weight.T
    q, k, v = (t.unflatten(1, (HEADS, -1)).transpose(0, 1) for t in qkv.split(DIM, dim=1))
    q = q + net.q_bias.view(HEADS, 1, -1)
    v = v + net.v_bias.view(HEADS, 1, -1)
    cosine = F.cosine_similarity(q[:, :, None], k[:, None], dim=-1)
    scale = net.logit_scale.exp().clamp(max=100)
    out = torch.softmax(cosine * scale + net.bias(), dim=-1) @ v
    expected = net.proj(out.transpose(0, 1).flatten(1)).view_as(x)
    torch.testing.assert_close(last(net(first(x[None])))[0], expected, rtol=0, atol=1e-10)


@torch.no_grad()
def test_a_shifted_block_sees_over_a_window_border_but_not_round_the_map() -> None:
    net, x = make_block(4), draw(1, 16, 16, DIM)
    moved = x.clone()
    moved[0, 0, 0] += 1  # the corner that the cyclic shift carries beside the opposite one
    change = last(net(first(moved)) - net(first(x))).abs().amax(-1)[0] > 0
    expected = torch.zeros(16, 16, dtype=torch.bool)
    expected[:4, :4] = True
    assert torch.equal(change, expected)

    moved = x.clone()
    moved[0, 7, 7] += 1
    change = last(net(first(moved)) - net(first(x))).abs().amax(-1)[0] > 0
    expected = torch.zeros(16, 16, dtype=torch.bool)
    expected[4:12, 4:12] = True
    assert torch.equal(change, expected)


def test_an_attention_has_the_parameters_of_the_paper_and_none_for_a_bias_of_the_keys() -> None:
    dim, heads, hidden = 12, 3, swinv2.BIAS_HIDDEN
    projections = 3 * dim * dim + 2 * dim + dim * dim + dim  # biases of q and v, not of k
    position = 2 * hidden + hidden + hidden * heads
    net = WindowAttention(dim, heads, 8, 0)
    assert sum(p.numel() for p in net.parameters()) == projections + heads + position


@torch.no_grad()
def test_logits_are_cosines_times_the_scale() -> None:
    q, k, v = draw(5, 3, seed=1), draw(7, 3, seed=2), draw(7, 4, seed=3)
    bias = draw(5, 7, seed=4)
    cosine = q @ k.T / (q.norm(dim=1)[:, None] * k.norm(dim=1))
    expected = torch.softmax(7.5 * cosine + bias, dim=-1) @ v
    out = Softmax()(*cosines(1000 * q, k / 1000, torch.tensor(7.5)), v, bias)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("raw", [math.log(100), 10.0, 500.0])
@torch.no_grad()
def test_the_temperature_is_clamped_at_a_scale_of_100(raw: float) -> None:
    net, x = make_block(0).attn, draw(1, DIM, 8, 8)
    net.logit_scale.fill_(raw)
    high = net(x)
    net.logit_scale.fill_(math.log(100))
    assert torch.equal(high, net(x))
    net.logit_scale.fill_(math.log(99))
    assert not torch.equal(high, net(x))


@pytest.mark.parametrize("window", [2, 5, 8])
def test_offsets_are_those_of_equation_4(window: int) -> None:
    expected = offset_table(window)
    torch.testing.assert_close(log_offsets(window).double(), expected, rtol=0, atol=2e-7)


def test_offsets_are_odd_and_logarithmic() -> None:
    table = log_offsets(8)
    assert torch.equal(table, -table.flip(0, 1))
    assert table[7, 7].tolist() == [0.0, 0.0]
    assert table[14, 7, 0].item() == pytest.approx(math.log2(9) / 3, abs=1e-6)
    assert table[7, 8, 1].item() == pytest.approx(math.log2(1 + 8 / 7) / 3, abs=1e-6)


def test_a_window_of_one_has_a_finite_offset() -> None:
    assert log_offsets(1).tolist() == [[[0.0, 0.0]]]


@torch.no_grad()
def test_the_position_bias_lies_between_0_and_16() -> None:
    bias = shaken(PositionBias(4, 2), 20.0)()
    assert bias.shape == (2, 16, 16)
    assert 0 <= bias.min() < 1
    assert 15 < bias.max() <= 16


def test_shifts_alternate_and_begin_without_one() -> None:
    group = make_group(5)
    assert [b.attn.shift for b in group.blocks] == [0, 4, 0, 4, 0]


@torch.no_grad()
def test_a_group_adds_its_blocks_to_its_input() -> None:
    group, x = exact(make_group(2)), draw(1, DIM, 9, 12)
    tokens = x[0].permute(1, 2, 0)
    for net in group.blocks:
        tokens = slow_block(net, tokens)
    torch.testing.assert_close(group(x)[0], x[0] + tokens.permute(2, 0, 1), rtol=0, atol=1e-10)


@torch.no_grad()
def test_a_group_of_depth_0_doubles_its_input() -> None:
    x = draw(1, DIM, 3, 3)
    assert torch.equal(make_group(0)(x), 2 * x)


@torch.no_grad()
def test_a_picture_does_not_feel_its_neighbours_in_the_batch() -> None:
    net, x = make_block(4), draw(3, DIM, 13, 9)
    torch.testing.assert_close(net(x)[1], net(x[1:2])[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("height", "width"), [(13, 9), (1, 1)])
def test_gradients_are_finite_where_windows_are_padded(height: int, width: int) -> None:
    net, x = make_block(4), draw(1, DIM, height, width).requires_grad_()
    net(x).sum().backward()
    assert x.grad is not None
    assert all(g is not None and g.isfinite().all() for g in [x.grad, net.attn.qkv.weight.grad])


def test_a_mask_first_made_without_gradients_serves_training_too() -> None:
    net, x = make_block(4), draw(1, DIM, 19, 21)
    with torch.inference_mode():
        expected = net(x)
    out = net(x)
    out.sum().backward()
    assert torch.equal(out.detach(), expected.clone())
