"""Aggregated attention against a loop over places, and what its parts add up to."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from s2lic.errors import MapTooLargeError
from s2lic.transform.blocks import create_block
from s2lic.transform.blocks.agg_attention import AggAttention, offsets
from tests.references.blocks import draw, felt, made

HEADS, WIDTH = 2, 8


def net_of(tokens: bool) -> AggAttention:
    """In float64; without learned tokens unless asked for."""
    net = made("agg_attention")
    assert isinstance(net, AggAttention)
    if not tokens:
        with torch.no_grad():
            net.tokens.zero_()
            net.tokens_bias.zero_()
    return net


def far_bias(net: AggAttention, place: tuple[int, int], size: tuple[int, int], cell: tuple[int, int]) -> Tensor:
    """(heads,): the MLP of the log-spaced offset between a place and the middle of a pooled cell."""
    spaced = []
    for at, whole, i in zip(place, size, cell, strict=True):
        cells = min(8, whole)
        first, last = i * whole // cells, math.ceil((i + 1) * whole / cells) - 1
        step = at - (first + last) / 2
        spaced.append(math.copysign(math.log2(1 + 8 * abs(step) / 24) / 3, step))
    bias: Tensor = net.far_bias.fc2(F.relu(net.far_bias.fc1(torch.tensor(spaced, dtype=torch.float64))))
    return bias


def slow(net: AggAttention, x: Tensor) -> Tensor:
    """One picture (1, C, H, W), a place and a head at a time."""
    height, width = x.shape[2:]
    last = x[0].permute(1, 2, 0)
    q, (k, v) = net.q(last), net.kv(last).chunk(2, dim=-1)
    pool = min(8, height), min(8, width)
    cells = net.norm(F.adaptive_avg_pool2d(F.gelu(net.reduce(last)).permute(2, 0, 1), pool).permute(1, 2, 0))
    far_k, far_v = net.kv(cells).chunk(2, dim=-1)
    out = torch.empty_like(last)
    for row in range(height):
        for col in range(width):
            for head in range(HEADS):
                part = slice(head * WIDTH, (head + 1) * WIDTH)
                out[row, col, part] = _place(net, head, (row, col), q[row, col, part], (k[..., part], v[..., part]),
                                             (far_k[..., part], far_v[..., part]))  # fmt: skip
    return net.proj(out).permute(2, 0, 1)[None]  # type: ignore[no-any-return]


def _place(
    net: AggAttention,
    head: int,
    at: tuple[int, int],
    q: Tensor,
    near: tuple[Tensor, Tensor],
    far: tuple[Tensor, Tensor],
) -> Tensor:
    (height, width), pool = near[0].shape[:2], far[0].shape[:2]
    keys, values, bias, tokens = [], [], [], []
    unit = F.normalize(q, dim=0)
    for i in range(9):
        row, col = at[0] + i // 3 - 1, at[1] + i % 3 - 1
        if 0 <= row < height and 0 <= col < width:
            keys.append(near[0][row, col])
            values.append(near[1][row, col])
            bias.append(net.near_bias[head, 0, i])
            tokens.append(unit @ net.tokens[head, :, i] + net.tokens_bias[head, 0, i])
    count = len(keys)
    for i in range(pool[0]):
        for j in range(pool[1]):
            keys.append(far[0][i, j])
            values.append(far[1][i, j])
            bias.append(far_bias(net, at, (height, width), (i, j))[head])
    query = (unit + net.query[head, 0]) * F.softplus(net.temperature[head, 0, 0]) * math.log(len(keys))
    weights = torch.softmax(
        torch.stack([query @ F.normalize(k, dim=0) + b for k, b in zip(keys, bias, strict=True)]), 0
    )
    weights[:count] += torch.stack(tokens)
    return weights @ torch.stack(values)


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize(("height", "width"), [(9, 11), (3, 12), (1, 1)])
@torch.no_grad()
def test_it_equals_a_loop_over_places_and_heads(height: int, width: int, tokens: bool) -> None:
    net, x = net_of(tokens), draw(1, 16, height, width)
    expected = slow(net, x)
    torch.testing.assert_close(net(x), expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(net.float()(x.float()), expected.float(), rtol=0, atol=1e-5)


@torch.no_grad()
def test_near_and_far_weights_share_one_softmax() -> None:
    net, x = net_of(tokens=False), draw(2, 16, 9, 10)
    last = x.permute(0, 2, 3, 1)
    q = F.normalize(net._split(net.q(last).flatten(1, 2)), dim=-1)
    (k, _), seen = net._near(last)
    far_k, _ = net._far(x)
    near, far = net.weights(q, k, far_k, seen, net.far_bias(9, 10, (8, 8)))
    torch.testing.assert_close(near.sum(-1) + far.sum(-1), torch.ones(2, HEADS, 90).double(), rtol=0, atol=1e-10)
    assert not near[:, :, ~seen].any()
    assert near.sum(-1).min() > 0
    assert far.sum(-1).min() > 0


@torch.no_grad()
def test_equal_values_come_back_unless_learned_tokens_add_their_own_weight() -> None:
    """Rows of weight 1 give the common value back; tokens are outside of the softmax."""
    for tokens in (False, True):
        net, x = net_of(tokens), draw(1, 16, 9, 10)
        net.kv.weight[16:] = 0  # every value is its bias, near or far
        common = net.proj(net.kv.bias[16:])[:, None, None].expand(16, 9, 10)
        spread = (net(x)[0] - common).abs().max()
        assert (spread > 0.05) if tokens else (spread <= 1e-10)


@torch.no_grad()
def test_the_scale_counts_the_keys_that_a_place_sees() -> None:
    """Of equal logits the scale shows nothing, so one key is made to stand out by a known cosine."""
    net, q = net_of(tokens=False), draw(1, HEADS, 3, WIDTH)
    for part in (net.query, net.near_bias):
        part.zero_()
    q = F.normalize(q, dim=-1)
    k = torch.zeros(1, HEADS, 3, 9, WIDTH).double()
    k[..., 4, :] = q
    far_k = torch.zeros(1, HEADS, 64, WIDTH).double()
    seen = torch.ones(3, 9, dtype=torch.bool)
    seen[1, :3], seen[2, [0, 1, 2, 3, 6]] = False, False  # an edge and a corner
    near, _ = net.weights(q, k, far_k, seen, torch.zeros(()).double())
    for place, keys in enumerate([73, 70, 68]):
        power = keys ** F.softplus(net.temperature).flatten()  # exp(scale * log keys)
        torch.testing.assert_close(near[0, :, place, 4], power / (power + keys - 1), rtol=0, atol=1e-10)


@pytest.mark.parametrize("size", [1, 5, 8, 13, 64, 96])
def test_offsets_are_few_and_those_of_every_pair(size: int) -> None:
    cells = min(8, size)
    spaced, index = offsets(size, cells)
    assert len(spaced) <= 4 * size
    middle = F.adaptive_avg_pool1d(torch.arange(size).double()[None], cells)[0]
    step = torch.arange(size)[:, None] - middle
    expected = step.sign() * (1 + step.abs() / 3).log2() / 3
    torch.testing.assert_close(torch.from_numpy(spaced[index]), expected, rtol=0, atol=1e-12)


def test_a_place_reaches_its_neighbours_closely_and_the_map_through_the_pool() -> None:
    assert felt(net_of(tokens=True), draw(1, 16, 16, 24), 3, 4).all()


def test_a_map_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AggAttention, "n_max", 12)
    net = create_block("agg_attention", 8, 2)
    assert net(torch.zeros(1, 8, 3, 4)).shape == (1, 8, 3, 4)
    with pytest.raises(MapTooLargeError, match="up to 12 places and this one has 13"):
        net(torch.zeros(1, 8, 1, 13))
