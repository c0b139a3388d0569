"""The dense block against its formula."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from s2lic.transform.dense import DenseBlock
from tests.references.weights import shaken


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@torch.no_grad()
def test_each_convolution_is_fed_by_all_before_it_and_the_fifth_adds_to_the_input() -> None:
    net, x = shaken(DenseBlock(5, 3).double()), draw(2, 5, 7, 9)
    features = [x]
    for conv in net.convs:
        z = F.conv2d(torch.cat(features, 1), conv.weight, conv.bias, padding=1)
        features.append(z.clamp(min=0) + 0.2 * z.clamp(max=0))
    expected = x + F.conv2d(torch.cat(features, 1), net.out.weight, net.out.bias, padding=1)
    assert len(features) == 5
    torch.testing.assert_close(net(x), expected, rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_fresh_block_is_the_identity() -> None:
    x = draw(1, 6, 4, 5).float()
    assert torch.equal(DenseBlock(6, 4)(x), x)


def test_the_parameters_are_those_of_five_3x3_convolutions() -> None:
    dim, growth = 7, 4
    convs = sum((9 * (dim + i * growth) + 1) * growth for i in range(4))
    last = (9 * (dim + 4 * growth) + 1) * dim
    assert sum(p.numel() for p in DenseBlock(dim, growth).parameters()) == convs + last
