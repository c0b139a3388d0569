"""Halo attention: blocks that see over their edges, and never over the map's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2lic.transform.attention.heads import join_heads, scaled_logits, split_heads
from s2lic.transform.blocks.halo import Halo
from s2lic.transform.window import Grid, merge, split
from tests.references.blocks import box, draw, felt, full_attention, made


def without_offsets(**options: object) -> Halo:
    net = made("halo", **options)
    assert isinstance(net, Halo)
    with torch.no_grad():
        net.rows.zero_()
        net.cols.zero_()
    return net


def over_the_whole_map(net: Halo, x: Tensor) -> Tensor:
    tokens = x[0].flatten(1).T
    out = net.proj(full_attention(*net.qkv(tokens).chunk(3, dim=1), net.heads))
    return out.T.view_as(x)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 7), (13, 9), (1, 1)])
@torch.no_grad()
def test_a_halo_that_covers_the_map_gives_attention_over_all_of_it(height: int, width: int) -> None:
    net, x = without_offsets(halo=13), draw(1, 16, height, width)
    torch.testing.assert_close(net(x), over_the_whole_map(net, x), rtol=0, atol=1e-10)


@torch.no_grad()
def test_the_same_in_float32() -> None:
    net, x = without_offsets(halo=13), draw(1, 16, 13, 9)
    expected = over_the_whole_map(net, x).float()
    torch.testing.assert_close(net.float()(x.float()), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 24)])
@torch.no_grad()
def test_no_halo_is_plain_window_attention_to_the_bit(height: int, width: int) -> None:
    net, x = without_offsets(halo=0), draw(1, 16, height, width)
    grid = Grid(height, width, 8, 0)
    q, k, v = (split_heads(split(t, grid), 2) for t in net.qkv(x.permute(0, 2, 3, 1)).chunk(3, dim=-1))
    out = net.proj(join_heads(torch.softmax(scaled_logits(q, k), dim=-1) @ v))
    assert torch.equal(net(x), merge(out, grid).permute(0, 3, 1, 2))


def test_a_place_reaches_the_blocks_whose_surroundings_hold_it() -> None:
    net, x = made("halo", window=4, halo=2), draw(1, 16, 16, 16)
    assert torch.equal(felt(net, x, 6, 6), box(16, 16, slice(4, 12), slice(4, 12)))
    assert torch.equal(felt(net, x, 5, 5), box(16, 16, slice(0, 8), slice(0, 8)))


@torch.no_grad()
def test_a_shift_by_a_block_commutes_inside_and_one_by_a_place_does_not() -> None:
    net, x = made("halo", window=4, halo=1), draw(1, 16, 16, 24)
    out = net(x)

    def change(step: int) -> float:
        moved = net(x.roll(step, 3))
        return float((moved[..., 4:12, 8:20] - out.roll(step, 3)[..., 4:12, 8:20]).abs().max())

    assert change(4) <= 1e-10
    assert change(1) > 1e-2


@torch.no_grad()
def test_relative_logits_equal_loops_over_queries_and_keys() -> None:
    net, q = made("halo", window=3, halo=2), draw(9, 8)
    expected = torch.empty(9, 49, dtype=torch.float64)
    for query in range(9):
        for key in range(49):
            row = key // 7 - 2 - query // 3
            col = key % 7 - 2 - query % 3
            expected[query, key] = q[query] @ (net.rows[row + 6] + net.cols[col + 6])
    torch.testing.assert_close(net.relative(q), expected, rtol=0, atol=1e-10)
