"""SeerAttention: a gate that learns where dense attention looks, and opens only that."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2lic.kernels.listed_attention import listed_attention
from s2lic.transform.attention.heads import join_heads, split_heads
from s2lic.transform.attention.listed import best
from s2lic.transform.blocks.halo import in_map
from s2lic.transform.blocks.seer_gate import REACH, SeerGate, offset_index, pooled, tile_targets
from s2lic.transform.context import Context
from s2lic.transform.window import Grid, merge, split
from tests.references.blocks import draw, full_attention, made

CELL = 4


def seer(**options: object) -> SeerGate:
    net = made("seer_gate", window=CELL, **options)
    assert isinstance(net, SeerGate)
    return net


def over_the_whole_map(net: SeerGate, x: Tensor) -> Tensor:
    out = net.proj(full_attention(*net.qkv(x[0].flatten(1).T).chunk(3, dim=1), net.heads))
    return out.T.view_as(x)


def cells(net: SeerGate, x: Tensor) -> tuple[Grid, list[Tensor], Tensor]:
    """The grid, q, k, v (B, h, cells, n, d), and which places of the cells are in the map."""
    grid = Grid(x.shape[2], x.shape[3], CELL, 0)
    parts = net.qkv(x.permute(0, 2, 3, 1)).chunk(3, dim=-1)
    qkv = [split_heads(split(t, grid), net.heads).transpose(1, 2) for t in parts]
    return grid, qkv, in_map(grid, 0, x.device).flatten(1)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (13, 9), (5, 17), (1, 1)])
@torch.no_grad()
def test_with_all_cells_open_it_is_attention_over_the_map(height: int, width: int) -> None:
    net, x = seer(top=100), draw(1, 16, height, width)
    expected = over_the_whole_map(net, x)
    torch.testing.assert_close(net(x), expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(net.train()(x), expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(net.eval().float()(x.float()), expected.float(), rtol=0, atol=1e-5)


@torch.no_grad()
def test_with_some_open_it_is_attention_with_the_tiles_of_the_others_at_minus_infinity() -> None:
    net, x = seer(top=5), draw(1, 16, 13, 9)
    grid, (q, k, v), seen = cells(net, x)
    index = net.open_cells(q, k, seen, grid)
    assert index.shape == (1, 2, 12, 5)
    shown = torch.zeros(1, 2, 12, 12, dtype=torch.bool).scatter(3, index, True)
    shown = shown[:, :, :, None, :, None] & seen
    logits = (q.flatten(2, 3) @ k.flatten(2, 3).transpose(2, 3) / 8**0.5).view(1, 2, 12, 16, 12, 16)
    weights = torch.softmax(logits.masked_fill(~shown, -torch.inf).flatten(4), dim=-1)
    out = (weights @ v.flatten(2, 3).unsqueeze(2)).transpose(1, 2)
    expected = merge(net.proj(join_heads(out)), grid).permute(0, 3, 1, 2)
    torch.testing.assert_close(net(x), expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(net.float()(x.float()), expected.float(), rtol=0, atol=1e-5)
    assert (net.double()(x) - over_the_whole_map(net, x)).abs().max() > 1e-3


@torch.no_grad()
def test_pools_and_targets_equal_loops_over_cells_and_targets_sum_to_1() -> None:
    seen = draw(3, 4, seed=4) > -0.8
    seen[:, 0] = True
    x, weights = draw(1, 2, 3, 4, 5), draw(1, 2, 3, 4, 3, 4).abs().masked_fill(~seen, 0)
    largest, least, mean = pooled(x, seen)
    out = tile_targets(weights, seen)
    for head in range(2):
        for i in range(3):
            there = x[0, head, i][seen[i]]
            torch.testing.assert_close(largest[0, head, i], there.amax(0))
            torch.testing.assert_close(least[0, head, i], there.amin(0))
            torch.testing.assert_close(mean[0, head, i], there.mean(0))
            row = torch.stack([weights[0, head, i][seen[i]][:, j][:, seen[j]].max() for j in range(3)])
            torch.testing.assert_close(out[0, head, i], row / row.sum(), rtol=0, atol=1e-6)
    torch.testing.assert_close(out.sum(-1), torch.ones(1, 2, 3, dtype=torch.float64), rtol=0, atol=1e-6)


@torch.no_grad()
def test_scores_are_products_of_pooled_queries_and_keys_and_a_bias_by_offset() -> None:
    net, x = seer(), draw(1, 16, 8, 8)
    grid, (q, k, _), seen = cells(net, x)
    found = net.scores(q, k, seen, grid)
    for head in range(2):
        for i in range(4):
            for j in range(4):
                there = k[0, head, j]
                a = q[0, head, i].mean(0) @ net.q_gate[head]
                b = torch.cat([there.amax(0), there.amin(0), there.mean(0)]) @ net.k_gate[head]
                at = (j // 2 - i // 2 + REACH) * (2 * REACH + 1) + j % 2 - i % 2 + REACH
                torch.testing.assert_close(found[0, head, i, j], a @ b / 64**0.5 + net.offsets[head, at])
    assert offset_index(1, 20, x.device)[0].tolist() == [40, 41, 42, 43] + [44] * 16


@torch.no_grad()
def test_a_cell_and_its_neighbours_are_always_open_and_the_rest_by_score() -> None:
    net, x = seer(top=6), draw(1, 16, 12, 16)
    grid, (q, k, _), seen = cells(net, x)
    scores, index = net.scores(q, k, seen, grid), net.open_cells(q, k, seen, grid)
    for head in range(2):
        for i in range(12):
            near = [j for j in range(12) if abs(i // 4 - j // 4) + abs(i % 4 - j % 4) <= 1]
            others = sorted(set(range(12)) - set(near), key=lambda j: -scores[0, head, i, j].item())
            assert index[0, head, i].tolist() == (near + others)[:6]


def test_the_lesson_reaches_the_gate_alone_and_the_gate_sways_nothing_else() -> None:
    net, x, context = seer().train(), draw(2, 16, 8, 12), Context()
    out = net(x, context)
    context.losses[0].backward(retain_graph=True)
    gate = {id(p) for p in net.gate()}
    for parameter in net.parameters():
        assert (parameter.grad is not None and parameter.grad.abs().sum() > 0) == (id(parameter) in gate)
    net.zero_grad()
    out.square().sum().backward()
    assert all(p.grad is None for p in net.gate())


def kept(weights: Tensor, index: Tensor, n: int) -> float:
    """The mean part of dense attention's weight that lies in the cells of the index."""
    tiles = weights.unflatten(2, (-1, n)).unflatten(4, (-1, n)).sum((3, 5)) / n
    return float(tiles.gather(3, index).sum(3).mean())


def test_taught_for_200_steps_it_keeps_more_than_chance_and_no_more_than_the_best_choice() -> None:
    """With all else frozen: bitwise the same afterwards, while the loss fell."""
    torch.manual_seed(0)
    net = SeerGate(16, 2, CELL).double().train()
    with torch.no_grad():
        net.qkv.weight.mul_(4)  # attention that looks at something
    base = {k: v.clone() for k, v in net.state_dict().items() if k.startswith(("qkv", "proj"))}
    for parameter in net.parameters():
        parameter.requires_grad_(any(parameter is p for p in net.gate()))
    coarse = draw(8, 16, 6, 6, seed=3)
    x = coarse.repeat_interleave(CELL, 2).repeat_interleave(CELL, 3) + 0.3 * draw(8, 16, 24, 24, seed=4)
    optimiser, lessons = torch.optim.Adam(net.gate(), 1e-2), []
    for step in range(200):
        context = Context()
        net(x[step % 4 : step % 4 + 1], context)
        optimiser.zero_grad()
        context.losses[0].backward()
        optimiser.step()
        lessons.append(context.losses[0].item())
    assert sum(lessons[-20:]) < 0.8 * sum(lessons[:20])
    assert all(torch.equal(net.state_dict()[name], value) for name, value in base.items())

    with torch.no_grad():
        grid, (q, k, v), seen = cells(net, x[4:])  # not among those it was taught with
        weights = torch.softmax(q.flatten(2, 3) @ k.flatten(2, 3).transpose(2, 3) / 8**0.5, dim=-1)
        tiles = weights.view(4, 2, 36, 16, 36, 16).sum((3, 5))
        taught = kept(weights, best(net.scores(q, k, seen, grid), 4), 16)
        oracle = kept(weights, best(tiles, 4), 16)
        chance = kept(weights, best(draw(4, 2, 36, 36, seed=8), 4), 16)
        everything = listed_attention(q, k, v, best(tiles, 36), seen)
        torch.testing.assert_close(everything.flatten(2, 3), weights @ v.flatten(2, 3))
    assert oracle >= taught
    assert taught > 1.5 * chance
