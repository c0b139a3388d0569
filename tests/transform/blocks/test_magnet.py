"""Magnets: keys that take attention and give nothing."""

from __future__ import annotations

import math

import torch

from s2lic.transform.blocks.magnet import magnet_attention
from tests.references.blocks import draw, made


def test_it_is_a_softmax_over_keys_and_magnets_whose_magnets_are_dropped() -> None:
    logits, magnets, v = draw(5, 7), draw(5, 4, seed=2), draw(7, 3, seed=3)
    weights = torch.softmax(torch.cat([logits, magnets], dim=1), dim=1)[:, :7]
    torch.testing.assert_close(magnet_attention(logits, magnets, v), weights @ v, rtol=0, atol=1e-10)
    assert (weights.sum(1) < 1).all()


def test_magnets_that_draw_nothing_leave_the_baseline_to_the_bit() -> None:
    logits, v = draw(5, 7), draw(7, 3, seed=3)
    off = torch.full((5, 4), -math.inf, dtype=torch.float64)
    assert torch.equal(magnet_attention(logits, off, v), torch.softmax(logits, dim=1) @ v)


def test_magnets_that_draw_everything_leave_nothing() -> None:
    all_of_it = torch.full((5, 4), math.inf, dtype=torch.float64)
    assert not magnet_attention(draw(5, 7), all_of_it, draw(7, 3)).any()


def test_what_is_left_has_the_shares_of_the_baseline() -> None:
    logits = draw(5, 7)
    weights = magnet_attention(logits, draw(5, 4, seed=2), torch.eye(7, dtype=torch.float64))
    shares = weights / weights.sum(1, keepdim=True)
    torch.testing.assert_close(shares, torch.softmax(logits, dim=1), rtol=0, atol=1e-10)


@torch.no_grad()
def test_the_block_is_swinv2_whose_weights_lose_what_the_magnets_draw() -> None:
    """In one window: a query's whole weight is left to the keys where the magnets' logits are far below theirs."""
    net, plain, x = made("magnet"), made("swinv2"), draw(1, 16, 8, 8)
    plain.load_state_dict({k: v for k, v in net.state_dict().items() if k != "rule.keys"})
    q, k, v = (t[0, 0] for t in net._heads(x.permute(0, 2, 3, 1).flatten(1, 2)[:, None]))
    q, k = (t / t.norm(dim=-1, keepdim=True) for t in (q, k))
    scale, magnets = net.logit_scale.exp(), net.rule.keys / net.rule.keys.norm(dim=-1, keepdim=True)
    logits = torch.cat([scale * q @ k.mT + net.bias(), scale * q @ magnets.mT + 8], dim=-1)
    out = torch.softmax(logits, dim=-1)[..., :64] @ v
    expected = net.proj(out.transpose(0, 1).flatten(1)).T.view_as(x)
    torch.testing.assert_close(net(x), expected, rtol=0, atol=1e-10)
    assert (net(x) - plain(x)).abs().max() > 1e-2
