"""Aaren: a scan, a recurrence and a softmax over the past are the same thing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2lic.transform.blocks.aaren_scan import combine, prefix_attention
from tests.references.blocks import draw, felt, made


def softmax_of_the_past(logits: Tensor, v: Tensor) -> Tensor:
    return torch.stack([torch.softmax(logits[: i + 1], 0) @ v[: i + 1] for i in range(len(v))])


def recurrence(logits: Tensor, v: Tensor) -> Tensor:
    state, rows = None, []
    for s, value in zip(logits, v, strict=True):
        leaf = (s, torch.ones_like(s), value)
        state = leaf if state is None else combine(state, leaf)
        rows.append(state[2] / state[1])
    return torch.stack(rows)


@pytest.mark.parametrize("length", [1, 2, 7, 64, 100])
@pytest.mark.parametrize("spread", [1.0, 30.0])
def test_scan_recurrence_and_causal_softmax_agree(length: int, spread: float) -> None:
    logits, v = spread * draw(length), draw(length, 3, seed=2)
    expected = softmax_of_the_past(logits, v)
    torch.testing.assert_close(prefix_attention(logits, v), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(recurrence(logits, v), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(prefix_attention(logits.float(), v.float()), expected.float(), rtol=0, atol=1e-5)


def test_the_operator_is_associative() -> None:
    a, b, c = ((10 * draw(5, seed=s), draw(5, seed=s + 3).abs(), draw(5, 2, seed=s + 6)) for s in (1, 2, 3))
    for left, right in zip(combine(combine(a, b), c), combine(a, combine(b, c)), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("pieces", [[1] * 9, [4, 5], [2, 6, 1], [9]], ids=str)
def test_a_stream_in_pieces_of_any_size_equals_one_pass(pieces: list[int]) -> None:
    logits, v = 10 * draw(9), draw(9, 3, seed=2)
    done, state = [], None
    for s, values in zip(logits.split(pieces), v.split(pieces), strict=True):
        largest = s.cummax(0).values
        power = torch.exp(s - largest[:, None]).tril()  # a piece on its own, the plain way
        own = (largest, power.sum(1), power @ values)
        whole = own if state is None else combine(tuple(t.expand_as(o) for t, o in zip(state, own, strict=True)), own)
        done.append(whole[2] / whole[1].unsqueeze(-1))
        state = tuple(t[-1:] for t in whole)
    torch.testing.assert_close(torch.cat(done), prefix_attention(logits, v), rtol=0, atol=1e-12)


def test_the_popular_shortcut_is_wrong() -> None:
    """cumsum(exp(s - cummax)) mixes different maxima."""
    logits, v = 3 * draw(50), draw(50, 3, seed=2)
    power = torch.exp(logits - logits.cummax(0).values)
    shortcut = (power[:, None] * v).cumsum(0) / power.cumsum(0)[:, None]
    assert (shortcut - softmax_of_the_past(logits, v)).abs().max() > 0.1


def test_what_comes_later_changes_no_bit_before() -> None:
    logits, v = draw(20), draw(20, 3, seed=2)
    out = prefix_attention(logits, v)
    logits[12] += 1
    v[12] += 1
    moved = prefix_attention(logits, v)
    assert torch.equal(moved[:12], out[:12])
    assert (moved[12:] != out[12:]).all()


def test_a_place_reaches_its_row_and_its_column() -> None:
    expected = torch.zeros(7, 9, dtype=torch.bool)
    expected[3], expected[:, 4] = True, True
    assert torch.equal(felt(made("aaren_scan"), draw(1, 16, 7, 9), 3, 4), expected)


def test_the_query_is_a_parameter() -> None:
    net = made("aaren_scan")
    assert net.query.shape == (8, 2)
    assert net.kv.weight.shape == (32, 16)  # keys and values only
