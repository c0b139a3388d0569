"""The conditioned gate: set by quality and condition, blind to the map."""

from __future__ import annotations

import pytest
import torch

from s2lic.errors import ConditionError
from s2lic.transform.blocks import create_block
from s2lic.transform.context import QUALITY_WIDTH, Context
from tests.references.blocks import condition, draw, made, permuted

GATES = pytest.mark.parametrize("gate", ["softmax", "sigmoid2"])


@GATES
@torch.no_grad()
def test_it_starts_as_the_identity(gate: str) -> None:
    net, x = create_block("sentence_gate", 16, gate=gate).double(), draw(2, 16, 5, 7)
    torch.testing.assert_close(net(x, condition(2)), x, rtol=0, atol=1e-10)


@torch.no_grad()
def test_it_scales_each_channel_by_one_number_and_those_sum_to_the_channels() -> None:
    net, x = made("sentence_gate"), draw(2, 16, 5, 7)
    ratio = net(x) / x
    assert ratio.flatten(2).std(-1).max() <= 1e-10
    torch.testing.assert_close(ratio.mean((2, 3)).sum(1), torch.full((2,), 16.0).double(), rtol=0, atol=1e-8)
    assert ratio.mean((2, 3)).std(1).min() > 0.1


@torch.no_grad()
def test_the_gate_is_the_two_layers_of_the_condition_written_out() -> None:
    net, known = made("sentence_gate"), draw(1, QUALITY_WIDTH)[0]
    hidden = net.fc1.weight @ known + net.fc1.bias
    normed = (hidden - hidden.mean()) / (hidden.var(unbiased=False) + 1e-5).sqrt() * net.norm.weight + net.norm.bias
    power = (net.fc2.weight @ normed.clamp(min=0) + net.fc2.bias).exp()
    torch.testing.assert_close(net.gate(known[None])[0], 16 * power / power.sum(), rtol=0, atol=1e-10)


@GATES
@torch.no_grad()
def test_for_one_condition_it_is_linear_and_commutes_with_every_order_of_the_places(gate: str) -> None:
    net, x, other = made("sentence_gate", gate=gate), draw(2, 16, 5, 7), draw(2, 16, 5, 7, seed=2)
    order = torch.randperm(35, generator=torch.Generator().manual_seed(0))
    assert torch.equal(net(permuted(x, order)), permuted(net(x), order))
    assert torch.equal(net(4 * x), 4 * net(x))
    torch.testing.assert_close(net(x + other), net(x) + net(other), rtol=0, atol=1e-12)


def test_the_condition_is_what_sets_it() -> None:
    net, x = made("sentence_gate"), draw(1, 16, 3, 3)
    known = draw(1, QUALITY_WIDTH).requires_grad_()
    net(x, Context(quality=known)).square().sum().backward()
    assert known.grad is not None
    assert known.grad.abs().max() > 1e-3
    with torch.no_grad():
        assert (net(x, condition(1, seed=1)) - net(x, condition(1, seed=2))).abs().max() > 0.1


@torch.no_grad()
def test_the_map_sets_it_too_where_that_is_asked_for() -> None:
    plain, joined, x = made("sentence_gate"), made("sentence_gate", use_image=True), draw(1, 16, 5, 7)
    assert joined.fc1.in_features == QUALITY_WIDTH + 16
    assert torch.equal(plain(2 * x), 2 * plain(x))
    assert (joined(2 * x) - 2 * joined(x)).abs().max() > 1e-2


def test_without_a_condition_it_refuses() -> None:
    net = create_block("sentence_gate", 16)
    for context in (None, Context()):
        with pytest.raises(ConditionError, match="needs the quality"):
            net(torch.zeros(1, 16, 2, 2), context)


def test_training_drops_the_whole_condition_of_some_pictures_and_coding_of_none() -> None:
    net, x, known = made("sentence_gate", dropout=0.5), draw(1, 16, 3, 3).expand(200, -1, -1, -1), condition(200)
    whole = net(x, known)
    without = net(x, Context(quality=torch.zeros(200, QUALITY_WIDTH)))
    torch.manual_seed(0)
    mixed = net.train()(x, known)
    dropped = (mixed == without).flatten(1).all(1)
    assert ((mixed == whole).flatten(1).all(1) ^ dropped).all()
    assert 60 < dropped.sum() < 140
    never = made("sentence_gate", dropout=0.0)
    assert torch.equal(never.train()(x, known), never.eval()(x, known))


def test_the_condition_sets_a_gate_built_for_it_and_no_other() -> None:
    plain, own, x = made("sentence_gate"), made("sentence_gate", condition=3), draw(2, 16, 3, 3)
    assert own.fc1.in_features == QUALITY_WIDTH + 3
    quality = condition(2).quality
    a, b = (Context(quality=quality, condition=draw(2, 3, seed=s)) for s in (1, 2))
    assert (own(x, a) - own(x, b)).abs().max() > 0.1
    assert torch.equal(plain(x, a), plain(x, b))
    with pytest.raises(ConditionError, match="needs 3 numbers with each picture"):
        own(x, condition(2))
