"""Recycled attention: later layers of a group read only what an earlier one looked at."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2lic.eval.complexity import macs
from s2lic.transform.attention.heads import split_heads
from s2lic.transform.blocks.recycled import INDEX, Recycled, own_places
from s2lic.transform.config import TransformRow
from s2lic.transform.context import Context
from s2lic.transform.group import residual_group
from s2lic.transform.window import Grid, split
from tests.references.blocks import draw, full_attention, made

CELL = 4


def recycled(**options: object) -> Recycled:
    net = made("recycled", window=CELL, **options)
    assert isinstance(net, Recycled)
    return net


def over_the_whole_map(net: Recycled, x: Tensor) -> Tensor:
    outs = [net.proj(full_attention(*net.qkv(one.flatten(1).T).chunk(3, dim=1), net.heads)).T for one in x]
    return torch.stack(outs).view_as(x)


def parts(net: Recycled, x: Tensor) -> tuple[Grid, Tensor, Tensor, Tensor]:
    """The grid, q (B, h, cells, n, d), k and v (B, h, N, d)."""
    grid = Grid(x.shape[2], x.shape[3], CELL, 0)
    q, k, v = net.qkv(x.permute(0, 2, 3, 1)).chunk(3, dim=-1)
    return grid, split_heads(split(q, grid), 2).transpose(1, 2), *(split_heads(t.flatten(1, 2), 2) for t in (k, v))


@pytest.mark.parametrize("options", [{"keys": 1000}, {"period": 1}])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (13, 9), (1, 1)])
@torch.no_grad()
def test_with_keys_for_all_or_every_step_full_each_step_is_attention_over_the_map(
    options: dict[str, int], height: int, width: int
) -> None:
    context = Context()
    for step in range(3):
        net, x = recycled(step=step, **options), draw(2, 16, height, width, seed=step)
        expected = over_the_whole_map(net, x)
        torch.testing.assert_close(net(x, context), expected, rtol=0, atol=1e-10)
        torch.testing.assert_close(net.float()(x.float(), context), expected.float(), rtol=0, atol=1e-5)


@torch.no_grad()
def test_what_is_kept_are_the_places_that_the_full_step_weighed_most() -> None:
    """Summed over the queries of a cell, over the heads, outside the cell; of equal ones the first."""
    net, x, context = recycled(keys=20), draw(1, 16, 13, 9), Context()
    net(x, context)
    q, k, _ = net.qkv(x[0].flatten(1).T).chunk(3, dim=1)
    weights = sum(torch.softmax(q[:, p] @ k[:, p].T / 8**0.5, dim=1) for p in (slice(0, 8), slice(8, 16)))
    for cell, found in enumerate(context.kept[INDEX][0].tolist()):
        own = [r * 9 + c for r in range(13) for c in range(9) if (r // CELL, c // CELL) == divmod(cell, 3)]
        mass = weights[own].sum(0)
        others = sorted(set(range(117)) - set(own), key=lambda i: (-mass[i].item(), i))
        assert found == others[:20]
    alike = net.heaviest(torch.ones(1, 12, 117), Grid(13, 9, CELL, 0))[0, 0]
    assert alike.tolist() == [i for i in range(117) if i // 9 >= CELL or i % 9 >= CELL][:20]


@torch.no_grad()
def test_a_later_step_reads_its_own_cell_and_what_is_kept_and_nothing_else() -> None:
    net, x = recycled(step=1, keys=10), draw(1, 16, 12, 12)
    grid, q, k, v = parts(net, x)
    index = torch.arange(100, 110).expand(1, 9, 10)
    clean = net.reused(q, k, v, grid, index)
    listed = {*own_places(grid, x.device)[2].tolist(), *range(100, 110)}
    unread = [i for i in range(144) if i not in listed]
    assert len(unread) == 144 - 16 - 10
    k[:, :, unread] = v[:, :, unread] = torch.nan
    assert torch.equal(net.reused(q, k, v, grid, index)[:, :, 2], clean[:, :, 2])
    assert clean[:, :, 2].isfinite().all()


@torch.no_grad()
def test_steps_of_a_group_take_turns_and_nothing_is_left_for_the_next_picture() -> None:
    row = TransformRow((16,) * 3, (4,) * 3, (2,) * 3, 16, CELL, 2, 2, 4, ("recycled",) * 3)
    group, x = residual_group(row, 2).double().eval(), draw(1, 16, 24, 24)
    steps = [block.attn for block in group.blocks]
    assert [step.planned_full for step in steps] == [True, False, False, True]
    calls: list[str] = []
    for step in steps:
        for name in ("full", "reused"):
            inner = getattr(step, name)
            setattr(step, name, lambda *args, inner=inner, name=name: (calls.append(name), inner(*args))[1])
    first = group(x)
    assert calls == ["full", "reused", "reused", "full"]
    group(draw(1, 16, 8, 8))
    assert torch.equal(group(x), first)


@pytest.mark.parametrize(("threshold", "fresh"), [(-1.0, []), (1.0, [0, 1])])
@torch.no_grad()
def test_a_threshold_of_minus_1_never_refreshes_and_of_1_always(threshold: float, fresh: list[int]) -> None:
    context, x = Context(), draw(2, 16, 12, 12)
    recycled(threshold=threshold, keys=8)(x, context)
    before = context.kept[INDEX]
    later = recycled(step=1, threshold=threshold, keys=8, std=0.2)
    out, other = later(x, context), over_the_whole_map(later, x)
    same = [i for i in range(2) if (out[i] - other[i]).abs().max() < 1e-10]
    assert same == fresh
    assert torch.equal(context.kept[INDEX], before) == (not fresh)


@torch.no_grad()
def test_between_them_a_picture_refreshes_when_its_own_queries_have_turned() -> None:
    context, x = Context(), draw(2, 16, 12, 12)
    first = recycled(threshold=0.5, keys=8)
    first(x, context)
    turned = torch.cat([x[:1], draw(1, 16, 12, 12, seed=5)])
    later = recycled(step=1, threshold=0.5, keys=8)
    assert torch.equal(later.qkv.weight, first.qkv.weight)
    before, out, other = context.kept[INDEX], later(turned, context), over_the_whole_map(later, turned)
    torch.testing.assert_close(out[1], other[1], rtol=0, atol=1e-10)
    assert (out[0] - other[0]).abs().max() > 1e-3
    assert torch.equal(context.kept[INDEX][0], before[0])
    assert not torch.equal(context.kept[INDEX][1], before[1])


@torch.no_grad()
def test_a_later_step_costs_its_list_and_not_the_map() -> None:
    x, context = draw(1, 16, 13, 9), Context()
    first, later = recycled(keys=20), recycled(step=1, keys=20)
    assert macs(lambda: first(x, context)) == 4 * 16**2 * 117 + 2 * 16 * 12 * 117 * 16
    assert macs(lambda: later(x, context)) == 4 * 16**2 * 117 + 2 * 16 * 12 * (16 + 20) * 16
