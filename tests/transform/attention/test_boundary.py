"""The learned boundaries of DHSA: what they see, what they are taught, and that they learn it."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from s2lic.transform.attention.boundary import LOGIT_MIN, Boundary, focal_loss, labels
from s2lic.transform.blocks.dhsa import LEARNED_APART, Dhsa
from s2lic.transform.context import Context
from tests.references.blocks import draw, made
from tests.references.weights import shaken

every_size = pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 24), (13, 9), (1, 1), (5, 64)])


def boundary(dim: int = 16) -> Boundary:
    torch.manual_seed(0)
    return shaken(Boundary(dim, 2).double().eval(), 0.3)


def dhsa(**options: object) -> Dhsa:
    net = made("dhsa", boundary="learned", **options)
    assert isinstance(net, Dhsa)
    return net


def predictor(net: Dhsa) -> Boundary:
    assert net.boundary is not None
    return net.boundary


@pytest.mark.parametrize("count", [1, 2, 5, 12])
@torch.no_grad()
def test_it_equals_a_loop_over_gaps_heads_and_tokens(count: int) -> None:
    net, keys = boundary(), draw(1, count, 16)
    q, k, v = net.qkv(keys[0]).chunk(3, dim=1)
    expected = torch.empty(count - 1, dtype=torch.float64)
    for gap in range(1, count):
        near = range(max(0, gap - 4), min(count, gap + 4))
        rows = []
        for token in near:
            parts = []
            for head in (slice(0, 8), slice(8, 16)):
                logits = torch.stack([q[token, head] @ k[other, head] / math.sqrt(8) for other in near])
                parts.append(torch.softmax(logits, 0) @ torch.stack([v[other, head] for other in near]))
            rows.append(net.norm(net.proj(torch.cat(parts))))
        left, right = (torch.stack(side).mean(0) for side in (rows[: gap - near[0]], rows[gap - near[0] :]))
        alike = (left @ right / left.norm() / right.norm())[None]
        features = torch.cat([left, right, (left - right).abs(), left * right, alike])
        expected[gap - 1] = net.fc2(net.fc1(features).clamp(min=0)).squeeze()
    torch.testing.assert_close(net(keys)[0], expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(net.float()(keys.float())[0], expected.float(), rtol=0, atol=1e-5)


@torch.no_grad()
def test_it_sees_four_tokens_to_either_side_and_no_more() -> None:
    net, keys = boundary(), draw(1, 30, 16)
    moved = keys.clone()
    moved[0, 12] += draw(16, seed=9)
    assert (net(moved) != net(keys))[0].nonzero().flatten().tolist() == list(range(8, 16))


def test_labels_are_sigmoids_of_the_ratio_of_the_mean_masses_beside_a_gap() -> None:
    mass = draw(2, 11).abs()
    for row, found in zip(mass, labels(mass), strict=True):
        for gap in range(1, 11):
            left, right = row[max(0, gap - 4) : gap].mean() + 1e-6, row[gap : gap + 4].mean() + 1e-6
            ratio = max(left, right) / min(left, right)
            torch.testing.assert_close(found[gap - 1], 1 / (1 + ratio**-4), rtol=0, atol=1e-10)
    torch.testing.assert_close(labels(torch.ones(1, 9)), torch.full((1, 8), 0.5))
    assert torch.sigmoid(torch.tensor(LOGIT_MIN)).item() == pytest.approx(1 / (1 + 1.1**-4))


def test_the_loss_weighs_cross_entropy_by_the_square_of_the_disagreement() -> None:
    logits, wanted = draw(2, 7), draw(2, 7, seed=2).sigmoid()
    p, total = logits.sigmoid(), 0.0
    for found, want in zip(p.flatten().tolist(), wanted.flatten().tolist(), strict=True):
        entropy = -want * math.log(found) - (1 - want) * math.log(1 - found)
        total += (1 - found * want - (1 - found) * (1 - want)) ** 2 * entropy
    assert focal_loss(logits, wanted).item() == pytest.approx(total / 14)
    assert focal_loss(logits[:, :0], wanted[:, :0]).item() == 0


@every_size
@torch.no_grad()
def test_a_block_with_learned_boundaries_keeps_the_shape_and_repeats_itself(height: int, width: int) -> None:
    net, x = dhsa(budget=40), draw(2, 16, height, width)
    out = net(x)
    assert out.shape == x.shape
    assert torch.equal(net(x), out)
    torch.testing.assert_close(net(torch.cat([-x[:1], x[1:]]))[1], out[1], rtol=0, atol=1e-10)


def test_it_has_as_many_weights_as_its_formula_says() -> None:
    count = sum(p.numel() for p in dhsa().parameters())
    assert count == 4 * 16**2 + 4 * 16**2 + 6 * 16 + 256 * (4 * 16 + 1) + 256 + 256 + 1


@torch.no_grad()
def test_chunks_end_where_the_predictor_expects_a_ratio_above_1_1_and_are_longer_than_8() -> None:
    net, keys = dhsa(), draw(3, 320, 16)
    chunk, logits = net.chunks(keys), predictor(net)(keys)
    for row, scores in zip(chunk, logits, strict=True):
        starts = (row.diff() == 1).nonzero().flatten()
        assert 0 < len(starts) < 320 / 32
        assert row[0] == 0
        assert row.diff().unique().tolist() == [0, 1]
        assert (starts.diff() > LEARNED_APART).all()
        assert (scores[starts] > LOGIT_MIN).all()
        assert all(scores[i] == scores[max(0, i - 8) : i + 9].max() for i in starts.tolist())
    predictor(net).fc2.weight.zero_()
    predictor(net).fc2.bias.fill_(LOGIT_MIN)
    assert not net.chunks(keys).any()


def test_its_lesson_is_the_attention_of_all_queries_and_reaches_it_alone() -> None:
    net, x, context = dhsa().train(), draw(2, 16, 6, 8), Context()
    net(x, context)
    own = {id(p) for p in predictor(net).parameters()}
    context.losses[0].backward()
    for parameter in net.parameters():
        assert (parameter.grad is not None and parameter.grad.abs().sum() > 0) == (id(parameter) in own)

    q, k = draw(1, 20, 16), draw(1, 20, 16, seed=2)
    mass = sum(torch.softmax(q[0, :, h] @ k[0, :, h].T / 8**0.5, 1).sum(0) for h in (slice(8), slice(8, 16))) / 2
    found = net._lesson(predictor(net), q, k)
    torch.testing.assert_close(found, focal_loss(predictor(net)(k), labels(mass[None])), rtol=0, atol=1e-10)


def test_coding_and_the_default_leave_no_lesson() -> None:
    x, context = draw(1, 16, 6, 8), Context()
    dhsa()(x, context)
    made("dhsa").train()(x, context)
    assert not context.losses


def planted(seed: int) -> tuple[Tensor, list[int]]:
    """Keys (1, 96, 16) of stretches that queries look at by turns, and the gaps between stretches."""
    rng = torch.Generator().manual_seed(seed)
    ends, strong = [], []
    while len(strong) < 96:
        length = int(torch.randint(12, 24, (1,), generator=rng))
        strong += [len(ends) % 2] * length
        ends.append(len(strong) - 1)
    keys = 0.1 * torch.randn(1, 96, 16, generator=rng, dtype=torch.float64)
    keys[..., 0] += 2 * torch.tensor(strong[:96])
    keys[..., 8] += 2 * torch.tensor(strong[:96])
    return keys, [end for end in ends if end < 92]


@torch.no_grad()
def error(net: Dhsa, queries: Tensor) -> float:
    """How far the predictor is from the labels, on average, of keys that it is never taught with."""
    keys = planted(2000)[0]
    weights = torch.softmax(queries[0, :, :8] @ keys[0, :, :8].T / 8**0.5, 1)  # the same for both heads
    return float((predictor(net)(keys).sigmoid() - labels(weights.sum(0)[None])).abs().mean())


def test_taught_for_100_steps_it_cuts_where_attention_changes_while_all_else_stays_to_the_bit() -> None:
    torch.manual_seed(0)
    net = Dhsa(16, 2, boundary="learned").double().train()
    queries = torch.zeros(1, 96, 16, dtype=torch.float64)
    queries[..., [0, 8]] = 3  # all look for what every other stretch has
    before = error(net, queries)
    base = {name: value.clone() for name, value in net.state_dict().items() if not name.startswith("boundary")}
    optimiser = torch.optim.Adam(predictor(net).parameters(), 3e-3)
    for step in range(100):
        loss = net._lesson(predictor(net), queries, planted(step)[0])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert error(net, queries) < 0.5 * before
    assert all(torch.equal(net.state_dict()[name], value) for name, value in base.items())

    near = found = 0
    for seed in range(1000, 1010):  # not among those it was taught with
        keys, ends = planted(seed)
        cuts = (F.pad(net.chunks(keys), (1, 0)).diff()[0, 1:] == 1).nonzero().flatten().tolist()
        found += len(cuts)
        near += sum(any(abs(cut - end) <= 1 for end in ends) for cut in cuts)
    assert found >= 10
    assert near >= 0.9 * found
