"""ECA: a few parameters, and gates that feel the means of their neighbours alone."""

from __future__ import annotations

import pytest
import torch

from s2lic.transform.blocks.eca import Eca, kernel_size
from tests.references.blocks import draw, made


@pytest.mark.parametrize(
    ("dim", "kernel"), [(8, 3), (32, 3), (64, 3), (128, 5), (192, 5), (320, 5), (1024, 5), (2048, 7)]
)
def test_it_has_exactly_as_many_parameters_as_its_kernel_is_wide(dim: int, kernel: int) -> None:
    assert sum(p.numel() for p in Eca(dim).parameters()) == kernel_size(dim) == kernel


@torch.no_grad()
def test_the_mean_of_a_channel_moves_only_the_gates_beside_it() -> None:
    net, x = made("eca", 128), draw(1, 128, 6, 5)
    moved = x.clone()
    moved[:, 40] += 0.5
    changed = (net.gate(moved) != net.gate(x)).flatten().nonzero().flatten()
    assert changed.tolist() == [38, 39, 40, 41, 42]


@torch.no_grad()
def test_what_leaves_the_means_alone_leaves_the_gates_alone() -> None:
    net, x, noise = made("eca", 32), draw(2, 32, 6, 5), draw(2, 32, 6, 5, seed=2)
    noise -= noise.mean((2, 3), keepdim=True)
    torch.testing.assert_close(net.gate(x + noise), net.gate(x), rtol=0, atol=1e-10)


@torch.no_grad()
def test_the_order_of_the_channels_matters() -> None:
    net, x = made("eca", 32), draw(1, 32, 6, 5)
    order = torch.randperm(32, generator=torch.Generator().manual_seed(0))
    assert (net(x[:, order]) - net(x)[:, order]).abs().max() > 1e-2


@torch.no_grad()
def test_the_output_is_the_input_times_a_sigmoid_of_the_sliding_sum() -> None:
    net, x = made("eca", 8), draw(1, 8, 3, 4)
    mean = x.mean((2, 3))[0].tolist()
    a, b, c = net.conv.weight.flatten().tolist()
    sums = [
        a * left + b * here + c * right for left, here, right in zip([0, *mean], mean, [*mean[1:], 0], strict=False)
    ]
    gate = torch.sigmoid(torch.tensor(sums, dtype=torch.float64))
    torch.testing.assert_close(net(x)[0], x[0] * gate[:, None, None], rtol=0, atol=1e-10)
