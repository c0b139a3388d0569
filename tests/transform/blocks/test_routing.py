"""Routing: clusters of like tokens attend among themselves, and centroids move in training alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from s2lic.transform.blocks.routing import Routing, moved, routed_attention, spread_out
from s2lic.transform.context import Context
from tests.references.blocks import draw, full_attention, made


def routing(**options: object) -> Routing:
    net = made("routing", **options)
    assert isinstance(net, Routing)
    return net


@torch.no_grad()
def test_one_cluster_of_all_tokens_is_attention_over_normalised_queries_and_keys() -> None:
    net, (q, k, v) = routing(heads=4, clusters=1), (draw(1, 2, 40, 4, seed=s) for s in (1, 2, 3))
    flat = [t[0].transpose(0, 1).flatten(1) for t in (F.layer_norm(q, (4,)), F.layer_norm(k, (4,)), v)]
    expected = full_attention(*flat, heads=2)
    torch.testing.assert_close(net.routed(q, k, v)[0].transpose(0, 1).flatten(1), expected, rtol=0, atol=1e-10)
    single = net.float().routed(q.float(), k.float(), v.float())[0].transpose(0, 1).flatten(1)
    torch.testing.assert_close(single, expected.float(), rtol=0, atol=1e-6)


def looped(q: Tensor, k: Tensor, v: Tensor, asking: Tensor, asked: Tensor) -> Tensor:
    """(N, d) of one head, a query and a cluster at a time."""
    found: list[list[Tensor]] = [[] for _ in v]
    for queries, keys in zip(asking.tolist(), asked.tolist(), strict=True):
        for token in queries:
            weights = torch.softmax(k[keys] @ q[token] / k.shape[1] ** 0.5, dim=0)
            found[token].append(weights @ v[keys])
    return torch.stack([sum(f) / len(f) if f else torch.zeros_like(v[0]) for f in found])


@torch.no_grad()
def test_a_token_of_two_clusters_gets_the_mean_and_one_of_none_gets_0() -> None:
    net, (q, k, v) = routing(clusters=7), (draw(1, 1, 50, 8, seed=s) for s in (1, 2, 3))
    asking, asked = net.chosen(q), net.chosen(k)
    assert asking.shape == (1, 1, 7, 8)  # 50 / 7, rounded up
    out = routed_attention(q, k, v, asking, asked)
    torch.testing.assert_close(
        out[0, 0], looped(q[0, 0], k[0, 0], v[0, 0], asking[0, 0], asked[0, 0]), rtol=0, atol=1e-6
    )
    times = torch.bincount(asking.flatten(), minlength=50)
    assert (times == 0).any()
    assert (times > 1).any()
    assert torch.equal(out[0, 0].abs().sum(1) == 0, times == 0)


@torch.no_grad()
def test_a_cluster_takes_its_nearest_tokens_and_of_equal_ones_the_first() -> None:
    net, tokens = routing(clusters=3), draw(1, 1, 30, 8)
    scores = tokens[0, 0] @ net.centroids[0].T
    for cluster, found in enumerate(net.chosen(tokens)[0, 0].tolist()):
        assert found == sorted(range(30), key=lambda i: (-scores[i, cluster].item(), i))[:10]
    assert net.chosen(torch.ones_like(tokens))[0, 0].tolist() == [list(range(10))] * 3


def test_one_step_of_the_centroids_is_the_formula() -> None:
    centroids, tokens = draw(2, 3, 4), draw(2, 20, 4, seed=2)
    centroids[0, 1] = 0
    tokens[0] = tokens[0].abs()
    centroids[0, 0], centroids[0, 2] = 1, 2  # of positive tokens, all prefer the last
    out = moved(centroids, tokens, 0.9)
    for head in range(2):
        nearest = (tokens[head] @ centroids[head].T).argmax(1)
        for c in range(3):
            mine = tokens[head][nearest == c]
            expected = 0.9 * centroids[head, c] + 0.1 * mine.mean(0) if len(mine) else centroids[head, c]
            torch.testing.assert_close(out[head, c], expected, rtol=0, atol=1e-6)
    assert torch.equal(out[0, :2], centroids[0, :2])


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_tokens_that_are_not_finite_do_not_move_the_centroids(bad: float) -> None:
    centroids, tokens = draw(2, 3, 4), draw(2, 20, 4, seed=2)
    spoilt = tokens.clone()
    spoilt[:, 5:9, 1] = bad
    good = torch.cat([tokens[:, :5], tokens[:, 9:]], dim=1)
    torch.testing.assert_close(moved(centroids, spoilt, 0.9), moved(centroids, good, 0.9), rtol=0, atol=1e-12)
    assert torch.equal(moved(centroids, torch.full_like(tokens, bad), 0.9), centroids)


def test_a_map_that_is_not_a_number_leaves_the_centroids_where_they_were() -> None:
    net, x = routing().train(), draw(2, 16, 9, 10)
    before = net.centroids.clone()
    net(torch.full_like(x, torch.nan), Context())
    assert torch.equal(net.centroids, before)
    net(x, Context())
    assert not torch.equal(net.centroids, before)
    assert net.centroids.isfinite().all()


def test_training_moves_the_centroids_by_that_step_and_adds_the_commitment_loss_and_eval_does_neither() -> None:
    net, x, context = routing(), draw(2, 16, 9, 10), Context()
    before = net.centroids.clone()
    net(x, context)
    assert torch.equal(net.centroids, before)
    assert not context.losses
    net.train()(x, context)
    q, k, _ = net._halves(net.qkv(x.permute(0, 2, 3, 1)))[1].flatten(1, 2).chunk(3, dim=-1)
    tokens = F.layer_norm(torch.cat([q, k], dim=1).flatten(0, 1), (8,))
    torch.testing.assert_close(net.centroids, moved(before, tokens[None], 0.999), rtol=0, atol=1e-10)
    target = before[0][(tokens @ before[0].T).argmax(1)]
    torch.testing.assert_close(context.losses[0], 1e-4 * (tokens - target).square().mean(), rtol=0, atol=1e-10)
    context.losses[0].backward()
    assert net.qkv.weight.grad is not None
    assert net.qkv.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("seed", range(4))
def test_planted_clusters_are_found(seed: int) -> None:
    """More than 95 % of the tokens of each centroid are of one planted cluster, after 200 steps from such a start."""
    planted = F.layer_norm(draw(6, 16, seed=seed), (16,))
    labels = torch.arange(600) % 6
    tokens = F.layer_norm(planted[labels] + 0.4 * draw(600, 16, seed=seed + 50), (16,))[None]
    centroids = spread_out(tokens, 6)
    for _ in range(200):
        centroids = moved(centroids, tokens, 0.97)
    nearest = (tokens[0] @ centroids[0].T).argmax(1)
    right = sum(torch.bincount(labels[nearest == c], minlength=6).max().item() for c in nearest.unique())
    assert right / 600 > 0.95
    assert len(nearest.unique()) == 6
    torch.testing.assert_close(
        centroids[0], torch.stack([tokens[0][nearest == c].mean(0) for c in range(6)]), rtol=0, atol=0.05
    )


@torch.no_grad()
def test_centroids_may_begin_as_tokens_far_from_each_other() -> None:
    net, x = routing(), draw(2, 16, 9, 10)
    net.init_centroids(x)
    q, k, _ = net._halves(net.qkv(x.permute(0, 2, 3, 1)))[1].flatten(0, 2).chunk(3, dim=-1)
    tokens = F.layer_norm(torch.cat([q, k]), (8,))
    assert torch.cdist(net.centroids[0], tokens).amin(1).max() < 1e-6
    apart = torch.pdist(net.centroids[0]).min()
    assert apart > 3 * torch.pdist(tokens).min()
