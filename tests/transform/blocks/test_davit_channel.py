"""Channel attention: blind to where, global in what."""

from __future__ import annotations

import pytest
import torch

from s2lic.eval.complexity import macs
from s2lic.transform.blocks.davit_channel import channel_attention
from tests.references.blocks import draw, made, permuted


@pytest.mark.parametrize("scale", ["cosine", "paper"])
@torch.no_grad()
def test_it_commutes_with_every_order_of_the_places(scale: str) -> None:
    net, x = made("davit_channel", scale=scale, positions=False), draw(2, 16, 10, 20)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net(permuted(x, order)), permuted(net(x), order), rtol=0, atol=1e-10)
    there = made("davit_channel", scale=scale)
    assert (there(permuted(x, order)) - permuted(there(x), order)).abs().max() > 1e-2


@torch.no_grad()
def test_groups_do_not_feel_each_other_before_the_projection() -> None:
    net, (q, k, v) = made("davit_channel"), (draw(1, 2, 30, 8, seed=s) for s in (1, 2, 3))
    out = net.attend(q, k, v)
    for t in (q, k, v):
        t[:, 0] += draw(30, 8, seed=7)
    moved = net.attend(q, k, v)
    assert torch.equal(moved[:, 1], out[:, 1])
    assert not torch.equal(moved[:, 0], out[:, 0])


@torch.no_grad()
def test_cosines_do_not_depend_on_the_size_of_the_map_and_the_papers_scale_does() -> None:
    x = draw(1, 16, 6, 5)
    tiled = x.repeat(1, 1, 2, 2)
    cosine = made("davit_channel", positions=False)
    torch.testing.assert_close(cosine(tiled), cosine(x).repeat(1, 1, 2, 2), rtol=0, atol=1e-10)
    paper = made("davit_channel", scale="paper", positions=False)
    assert (paper(tiled) - paper(x).repeat(1, 1, 2, 2)).abs().max() > 1e-3


@torch.no_grad()
def test_attention_equals_loops_over_channels() -> None:
    q, k, v = draw(9, 3), draw(9, 3, seed=2), draw(9, 3, seed=3)
    expected = torch.empty(9, 3, dtype=torch.float64)
    for i in range(3):
        weights = torch.softmax(torch.stack([k[:, i] @ v[:, j] for j in range(3)]), dim=0)
        expected[:, i] = sum(weights[j] * q[:, j] for j in range(3))
    torch.testing.assert_close(channel_attention(q, k, v), expected, rtol=0, atol=1e-10)


def test_macs_grow_with_the_map_and_no_faster() -> None:
    net = made("davit_channel")
    assert macs(lambda: net(draw(1, 16, 20, 30))) == 600 * macs(lambda: net(draw(1, 16, 1, 1)))
