"""DHSA: chunks cut where content changes, of which the best are read token by token."""

from __future__ import annotations

import pytest
import torch

from s2lic.transform.attention.curve import curve_order
from s2lic.transform.blocks.dhsa import APART, BLOCK, Dhsa, changes, chunks_of, peaks, summed
from tests.references.blocks import draw, full_attention, made


def dhsa(**options: object) -> Dhsa:
    net = made("dhsa", **options)
    assert isinstance(net, Dhsa)
    return net


@pytest.mark.parametrize("boundary", ["cosine", "learned"])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (13, 9), (5, 64), (1, 1)])
@torch.no_grad()
def test_a_budget_of_all_tokens_gives_attention_over_the_map(height: int, width: int, boundary: str) -> None:
    net, x = dhsa(budget=height * width, boundary=boundary), draw(1, 16, height, width)
    expected = net.proj(full_attention(*net.qkv(x[0].flatten(1).T).chunk(3, dim=1), net.heads)).T.view_as(x)
    torch.testing.assert_close(net(x), expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(net.float()(x.float()), expected.float(), rtol=0, atol=1e-5)


@torch.no_grad()
def test_with_a_budget_it_is_attention_with_every_key_outside_the_list_at_minus_infinity() -> None:
    net, x = dhsa(budget=50), draw(1, 16, 15, 13)
    order = curve_order(15, 13)
    q, k, v = net.qkv(x[0].flatten(1).T[order]).chunk(3, dim=1)
    index = net.chosen(q[None], k[None])[0]
    assert index.shape == (4, BLOCK + 50)
    hidden = torch.ones(195, 195, dtype=torch.bool)
    for query in range(195):
        keys = index[query // BLOCK]
        hidden[query, keys[keys >= 0]] = False
    assert ((~hidden).sum(1) <= BLOCK + 50).all()
    out = torch.empty_like(q)
    for part in (slice(0, 8), slice(8, 16)):
        logits = (q[:, part] @ k[:, part].T / 8**0.5).masked_fill(hidden, -torch.inf)
        out[:, part] = torch.softmax(logits, dim=1) @ v[:, part]
    expected = torch.empty_like(out)
    expected[order] = net.proj(out)
    torch.testing.assert_close(net(x)[0].flatten(1).T, expected, rtol=0, atol=1e-10)


def test_changes_are_cosines_of_the_means_before_and_after() -> None:
    keys = draw(1, 20, 3)
    found = changes(keys)[0]
    for gap in range(1, 20):
        left, right = keys[0, max(0, gap - 4) : gap].mean(0), keys[0, gap : gap + 4].mean(0)
        expected = 1 - left @ right / left.norm() / right.norm()
        torch.testing.assert_close(found[gap - 1], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("levels", [1, 3, 1000])
def test_a_peak_is_beaten_by_none_near_it_and_by_no_equal_one_before(levels: int) -> None:
    scores = (levels * draw(2, 200)).round()
    for row, found in zip(scores.tolist(), peaks(scores, APART).tolist(), strict=True):
        near = [range(max(0, i - APART), min(200, i + APART + 1)) for i in range(200)]
        assert found == [max(near[i], key=lambda j: (row[j], -j)) == i for i in range(200)]


@pytest.mark.parametrize("count", [1, 2, 5, 30, 199])
def test_chunks_cover_the_tokens_in_order_are_few_enough_and_none_is_short(count: int) -> None:
    most = -(-count // 32) + 3
    chunk = chunks_of(changes(draw(2, count, 8)), most)
    assert chunk.shape == (2, count)
    for row in chunk:
        assert row[0] == 0
        assert row[-1] < most
        assert row.diff().unique().tolist() in ([], [0], [1], [0, 1])
        starts = (row.diff() == 1).nonzero().flatten() + 1
        assert (starts.diff() > APART).all()


def test_chunks_are_cut_where_the_content_changes() -> None:
    lengths = [30, 9, 50, 17]
    content = torch.tensor([[4.0, 0, 0], [0, 4, 0], [0, 0, 4], [4, 0, 0]]).double()
    keys = torch.cat([row.expand(n, 3) for row, n in zip(content, lengths, strict=True)])[None] + 0.1 * draw(1, 106, 3)
    assert torch.bincount(chunks_of(changes(keys), 4)[0]).tolist() == lengths


def test_products_with_a_chunk_vary_alike_at_every_length_and_with_a_mean_they_do_not() -> None:
    tokens, query = draw(1, 128 * 512, 16), draw(16, seed=5)
    deviations, of_means = [], []
    for length in (2, 8, 32, 128):
        runs = 128 * 512 // length
        products = summed(tokens, torch.full((1, runs), length))[0] @ query
        torch.testing.assert_close(products, tokens.view(runs, length, 16).mean(1) @ query * length**0.5)
        deviations.append(products.std().item())
        of_means.append(products.std().item() / length**0.5)
    assert max(deviations) < 1.15 * min(deviations)
    assert max(of_means) > 6 * min(of_means)


@torch.no_grad()
def test_with_chunks_of_one_length_it_picks_the_best_blocks() -> None:
    net, q, k = dhsa(budget=96), draw(1, 256, 16), draw(1, 256, 16, seed=2)
    chunk = torch.arange(256).div(32, rounding_mode="floor")[None]
    scores = net.scores(q, k, chunk)
    found = net._others(scores, chunk, torch.arange(4) * BLOCK, 96)[0]
    sums_q, sums_k = q[0].view(4, 64, 16).sum(1), k[0].view(8, 32, 16).sum(1)
    for block in range(4):
        others = [c for c in range(8) if c // 2 != block]
        picked = sorted(others, key=lambda c: -(sums_q[block] @ sums_k[c]).item())[:3]
        assert found[block].tolist() == [32 * c + i for c in picked for i in range(32)]


@torch.no_grad()
def test_a_chunk_that_does_not_fit_is_cut_in_the_order_of_the_curve() -> None:
    chunk = torch.arange(192).div(32, rounding_mode="floor")[None]
    scores = torch.tensor([[[0.0, 0, 1, 3, 2, 0]]])
    found = Dhsa._others(scores, chunk, torch.tensor([0]), 40)[0, 0]
    assert found.tolist() == [*range(96, 128), *range(128, 136)]


@torch.no_grad()
def test_a_block_lists_itself_first_and_no_token_twice() -> None:
    net, q, k = dhsa(budget=20), draw(1, 256, 16), draw(1, 256, 16, seed=2)
    index = net.chosen(q, k)
    assert index.shape == (1, 4, 84)
    assert all(len(set(row)) == 84 for row in index[0].tolist())
    assert torch.equal(index[0, :, :64], torch.arange(256).view(4, 64))
