"""p-adapter: closed forms at p = 2, and nothing at all before it is tuned."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2lic.transform.blocks import create_block
from s2lic.transform.blocks.p_adapter import PAdapter, edge_weights, p_laplacian
from tests.references.blocks import draw, made


def graph() -> tuple[Tensor, Tensor, Tensor]:
    return torch.softmax(draw(2, 9, 12), dim=-1), draw(2, 9, 5, seed=2), draw(2, 12, 5, seed=3)


@pytest.mark.parametrize("mu", [0.0, 0.2, 1.5])
def test_at_p_2_it_is_the_mean_of_attended_values_and_the_query_itself(mu: float) -> None:
    """Without mu, an ordinary adapter behind attention."""
    m, q, v = graph()
    torch.testing.assert_close(p_laplacian(m, q, v, 2.0, mu), (m @ v + mu * q) / (1 + mu), rtol=0, atol=1e-10)


@pytest.mark.parametrize("p", [1.25, 1.75, 2.5])
def test_it_equals_the_published_sums_edge_by_edge(p: float) -> None:
    m, q, v = (t[0] for t in graph())
    mu, expected = 0.2, torch.empty_like(q)
    for i in range(9):
        edges = [m[i, j] * ((m[i, j].sqrt() * (q[i] - v[j])).norm().clamp(min=1e-3)) ** (p - 2) for j in range(12)]
        alpha = 1 / (sum(edges) + 2 * mu / p)
        expected[i] = alpha * sum(w * v[j] for j, w in enumerate(edges)) + 2 * mu * alpha / p * q[i]
    torch.testing.assert_close(p_laplacian(m, q, v, p, mu), expected, rtol=0, atol=1e-10)


def test_a_p_below_2_raises_pairs_that_are_alike_and_one_above_raises_those_that_differ() -> None:
    m, q, v = graph()
    apart = torch.cdist(q, v).flatten()
    for p, sign in ((1.5, -1), (2.5, 1)):
        raised = (edge_weights(m, q, v, p) / m).flatten()
        assert sign * torch.corrcoef(torch.stack([raised, apart]))[0, 1] > 0.3


def test_nodes_that_are_equal_have_finite_edges_and_gradients() -> None:
    m, q, v = graph()
    v = q[:, :1].expand(2, 12, 5).clone().requires_grad_()
    out = p_laplacian(m, q, v, torch.tensor(1.25).double(), 0.2)
    out.square().sum().backward()
    assert out.isfinite().all()
    assert v.grad is not None
    assert v.grad.isfinite().all()


@pytest.mark.parametrize("key", ["swinv2", "halo", "davit_dual"])
@torch.no_grad()
def test_before_it_is_tuned_it_changes_no_bit(key: str) -> None:
    plain, wrapped = made(key), create_block(key, 16, 2, wrap="p_adapter").double().eval()
    odd = wrapped.load_state_dict(plain.state_dict(), strict=False)
    assert odd.missing_keys
    assert all(".adapter." in name for name in odd.missing_keys)
    x = draw(2, 16, 13, 9)
    assert torch.equal(wrapped(x), plain(x))
    next(m for m in wrapped.modules() if isinstance(m, PAdapter)).adapter.up.weight.add_(0.1)
    assert not torch.equal(wrapped(x), plain(x))


@pytest.mark.parametrize(("dim", "heads", "hidden"), [(192, 8, 24), (192, 16, 32), (160, 5, 20), (8, 2, 2)])
def test_it_has_as_many_weights_as_its_formula_says(dim: int, heads: int, hidden: int) -> None:
    """An eighth of the width, rounded up to a multiple of the heads; 14,066 at 192 channels and 8 heads."""
    count = sum(p.numel() for p in PAdapter(dim, heads).parameters())
    assert count == 3 * dim * hidden + 2 * hidden + dim + 2
    assert count == 14_066 or (dim, heads) != (192, 8)
