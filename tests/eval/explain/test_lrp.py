"""Relevance is conserved, is gradient times input of what is linear, and values are left as they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.eval.explain.lrp import Rules, relevance, stabilised
from s2lic.transform.blocks import block_names, block_row, create_block
from tests.references.weights import shaken

SMALL = 1e-9


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def relu_net() -> nn.Module:
    """Convolutions without a bias, as the published rules conserve."""
    convs = [nn.Conv2d(a, b, 3, stride=s, padding=1, bias=False) for a, b, s in ((3, 8, 1), (8, 8, 2), (8, 4, 1))]
    net = nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.ReLU(), convs[2])
    return shaken(net, 0.2).double().requires_grad_(False)


def test_relevance_is_conserved_through_a_net_without_biases() -> None:
    x, net = draw(1, 3, 12, 10), relu_net()
    given = net(x).abs()
    for rules in (Rules(SMALL), Rules(SMALL, zplus=True)):
        found = relevance(net, x, lambda _: given, rules)
        assert found.shape == x.shape
        assert float((found.sum() - given.sum()).abs() / given.sum()) <= 1e-4


def test_a_larger_epsilon_keeps_some_back() -> None:
    x, net = draw(1, 3, 12, 10), relu_net()
    found = relevance(net, x, Tensor.abs, Rules(0.5))
    assert float(found.sum() / net(x).abs().sum()) < 0.99


def test_without_epsilon_it_is_gradient_times_input() -> None:
    x, net = draw(1, 3, 12, 10).requires_grad_(), relu_net()
    given = net(x).detach().square()
    (gradient,) = torch.autograd.grad(net(x), x, given / net(x).detach())
    found = relevance(net, x, lambda _: given, Rules(0.0))
    torch.testing.assert_close(found, gradient * x.detach(), rtol=1e-5, atol=1e-9)


def test_positive_relevance_stays_positive_under_zplus() -> None:
    found = relevance(relu_net(), draw(1, 3, 12, 10), Tensor.abs, Rules(SMALL, zplus=True))
    assert float(found.min()) >= 0


@pytest.mark.parametrize(
    "net",
    [
        lambda x: x * torch.sigmoid(3 * x),
        F.gelu,
        lambda x: x * x,
        lambda x: F.layer_norm(x, (10,)),
        lambda x: torch.softmax(x @ x.transpose(-2, -1), -1) @ x,
        lambda x: x / (1 + x.square()),
        lambda x: F.gelu(x) * x,
    ],
    ids=["gate", "gelu", "product", "norm", "attention", "quotient", "gated"],
)
def test_what_is_not_linear_conserves_too(net: Callable[[Tensor], Tensor]) -> None:
    """Plain gradient times input gives twice too much for a product, and other sums for the rest."""
    x = draw(1, 3, 12, 10)
    given = net(x).abs()
    assert float(relevance(net, x, lambda _: given, Rules(0.0)).sum() / given.sum()) == pytest.approx(1, abs=1e-6)


ALONE = [key for key in block_names() if not block_row(key).needs_cond and block_row(key).kind != "wrapper"]


@pytest.mark.parametrize("key", ALONE)
def test_the_values_of_every_block_are_left_as_they_are(key: str) -> None:
    torch.manual_seed(0)
    net = shaken(create_block(key, 16, 2).double().eval(), 0.3).requires_grad_(False)
    x = draw(1, 16, 9, 10)
    with Rules():
        under = net(x.clone().requires_grad_())
    torch.testing.assert_close(under.detach(), net(x), rtol=0, atol=1e-9)
    assert relevance(net, x, Tensor.abs, Rules()).isfinite().all()


def test_a_sum_is_moved_away_from_zero() -> None:
    z = torch.tensor([3.0, 0.0, -4.0])
    step = 0.1 * (25 / 3) ** 0.5
    torch.testing.assert_close(stabilised(z, 0.1), z + torch.tensor([step, step, -step]))
