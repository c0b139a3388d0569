"""Pointer: a distribution over positions, and in the end one of the inputs unmixed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2lic.transform.blocks.pointer_copy import Pointer, PointerCopy, copied, pointed
from tests.references.blocks import draw, made


@pytest.fixture
def pointer() -> Pointer:
    torch.manual_seed(0)
    return Pointer(6, 16).double()


def copier(**options: object) -> PointerCopy:
    net = made("pointer_copy", window=4, **options)
    assert isinstance(net, PointerCopy)
    with torch.no_grad():
        net.proj.weight.copy_(torch.eye(16))
    return net


@torch.no_grad()
def test_logits_equal_a_double_loop(pointer: Pointer) -> None:
    queries, candidates = draw(5, 6), draw(9, 6, seed=2)
    expected = torch.empty(5, 9, dtype=torch.float64)
    for i, query in enumerate(queries):
        for j, candidate in enumerate(candidates):
            inside = pointer.asked.weight @ candidate + pointer.asking.weight @ query
            expected[i, j] = pointer.score.weight[0] @ torch.tanh(inside)
    torch.testing.assert_close(pointer(queries, candidates), expected, rtol=0, atol=1e-10)
    single = pointer.float()(queries.float(), candidates.float())
    torch.testing.assert_close(single, expected.float(), rtol=0, atol=1e-5)


def test_without_the_tangent_the_query_would_not_matter(pointer: Pointer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then its part is the same for every candidate, and softmax does not feel it."""
    queries, candidates = draw(5, 6), draw(9, 6, seed=2)
    with_it = torch.softmax(pointer(queries, candidates), dim=-1)
    monkeypatch.setattr(torch, "tanh", lambda x: x)
    without = torch.softmax(pointer(queries, candidates), dim=-1)
    torch.testing.assert_close(without, without[:1].expand(5, -1), rtol=0, atol=1e-10)
    assert (with_it - with_it[:1]).abs().max() > 1e-2


@pytest.mark.parametrize("count", [1, 16, 100])
def test_the_same_pointer_takes_any_number_of_candidates(pointer: Pointer, count: int) -> None:
    weights = torch.softmax(pointer(draw(5, 6), draw(count, 6, seed=2)), dim=-1)
    assert weights.shape == (5, count)
    torch.testing.assert_close(weights.sum(1), torch.ones(5, dtype=torch.float64), rtol=0, atol=1e-10)


@torch.no_grad()
def test_candidates_in_another_order_are_pointed_to_in_that_order(pointer: Pointer) -> None:
    queries, candidates = draw(5, 6), draw(20, 6, seed=2)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    weights, moved = (torch.softmax(pointer(queries, c), dim=-1) for c in (candidates, candidates[order]))
    torch.testing.assert_close(moved, weights[:, order], rtol=0, atol=1e-6)


def allowed(x: Tensor, row: int, col: int, window: int, pool: int) -> Tensor:
    """(n, C): what the place may become: its window's places in the map, and the means of the map's parts."""
    top, left = row // window * window, col // window * window
    near = x[0, :, top : top + window, left : left + window].flatten(1).T
    sides = min(pool, x.shape[2]), min(pool, x.shape[3])
    return torch.cat([near, torch.nn.functional.adaptive_avg_pool2d(x, sides)[0].flatten(1).T])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (13, 9), (1, 1)])
@torch.no_grad()
def test_every_place_becomes_to_the_bit_one_of_its_candidates_and_the_best(
    training: bool, height: int, width: int
) -> None:
    net, x = copier(pool=3).train(training), draw(1, 16, height, width)
    out, elsewhere = net(x), 0
    for row in range(height):
        for col in range(width):
            candidates = allowed(x, row, col, 4, 3)
            best = net.pointer(x[0, :, row, col][None], candidates)[0].argmax()
            assert torch.equal(out[0, :, row, col], candidates[best])
            elsewhere += int(not torch.equal(out[0, :, row, col], x[0, :, row, col]))
    assert elsewhere > height * width / 2 or height * width == 1


def test_of_equal_logits_the_first_candidate_is_copied() -> None:
    candidates = draw(7, 3)
    assert torch.equal(copied(torch.zeros(2, 7), candidates), candidates[:1].expand(2, -1))


def test_training_copies_as_coding_does_and_learns_as_the_mean_would() -> None:
    logits, candidates = draw(5, 7).requires_grad_(), draw(7, 3, seed=2)
    out = pointed(logits, candidates)
    assert torch.equal(out, copied(logits, candidates))
    (out * draw(5, 3, seed=3)).sum().backward()
    soft = logits.detach().clone().requires_grad_()
    ((torch.softmax(soft, dim=1) @ candidates) * draw(5, 3, seed=3)).sum().backward()
    torch.testing.assert_close(logits.grad, soft.grad, rtol=0, atol=1e-12)
