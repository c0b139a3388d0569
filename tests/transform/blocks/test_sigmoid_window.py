"""Sigmoid attention: keys count each by itself."""

from __future__ import annotations

import math

import pytest
import torch

from s2lic.kernels.sigmoid_attention.naive import weigh
from s2lic.transform.window import MASKED
from tests.references.blocks import draw, made


@pytest.mark.parametrize("keys", [1, 2, 64])
@torch.no_grad()
def test_logits_of_zero_give_the_mean_times_n_over_n_plus_1(keys: int) -> None:
    v = draw(keys, 4)
    out = weigh(torch.zeros(3, keys, dtype=torch.float64), v)
    torch.testing.assert_close(out, (keys / (keys + 1) * v.mean(0)).expand(3, 4), rtol=0, atol=1e-10)


@torch.no_grad()
def test_a_key_adds_its_sigmoid_times_its_value_and_changes_no_other() -> None:
    logits, v = draw(5, 7), draw(7, 4, seed=2)
    without = torch.cat([v[:3], 0 * v[3:4], v[4:]])
    weight = torch.sigmoid(logits[:, 3:4] - math.log(7))
    expected = weight * v[3]
    change = weigh(logits, v) - weigh(logits, without)
    torch.testing.assert_close(change, expected, rtol=0, atol=1e-10)
    sharper = logits.clone()
    sharper[:, 3] += 5
    moved = weigh(sharper, without) - weigh(logits, without)
    assert moved.abs().max() == 0  # a softmax would have taken the weight from the others


@torch.no_grad()
def test_a_hidden_key_counts_for_nothing_not_even_in_n() -> None:
    logits, v = draw(5, 7), draw(7, 4, seed=2)
    hidden = logits.clone()
    hidden[:, 4:] += MASKED
    torch.testing.assert_close(weigh(hidden, v), weigh(logits[:, :4], v[:4]), rtol=0, atol=1e-10)


@torch.no_grad()
def test_a_corner_of_the_map_uses_its_own_number_of_keys() -> None:
    """The last window of 9 x 9 holds one place: n is 1 there, and its only key has logit cos + bias."""
    net, x = made("sigmoid_window", shift=0), draw(1, 16, 9, 9)
    token = x[0, :, 8, 8]
    q, k, v = (net.qkv.weight @ token + torch.cat([net.q_bias, 0 * net.q_bias, net.v_bias])).view(3, 2, 8)
    cosine = torch.cosine_similarity(q, k, dim=1) * net.logit_scale.exp().clamp(max=100).flatten()
    middle = net.bias()[:, 0, 0] - 8
    weighed = torch.sigmoid(cosine + middle)[:, None] * v * net.rule.scale.squeeze(1)
    torch.testing.assert_close(net(x)[0, :, 8, 8], net.proj(weighed.flatten()), rtol=0, atol=1e-10)


@torch.no_grad()
def test_the_norm_over_a_head_is_a_choice() -> None:
    x = draw(1, 16, 8, 8)
    plain, normed = made("sigmoid_window"), made("sigmoid_window", hybrid_norm=True)
    assert sum(p.numel() for p in normed.parameters()) == sum(p.numel() for p in plain.parameters()) + 2 * 8
    assert normed(x).shape == x.shape
