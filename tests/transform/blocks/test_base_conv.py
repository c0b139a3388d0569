"""BaseConv: a product of two linear maps, near or as far as the map reaches."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from s2lic.eval.complexity import macs
from s2lic.transform.blocks.base_conv import LongFilter, fft_convolution
from tests.references.blocks import box, draw, felt, made


@pytest.mark.parametrize("long", [False, True])
@torch.no_grad()
def test_without_biases_it_is_of_degree_two(long: bool) -> None:
    net, x = made("base_conv", long=long), draw(1, 16, 9, 10)
    net.linear.bias.zero_()
    net.conv.bias.zero_()
    torch.testing.assert_close(net(3 * x), 9 * net(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5), (6, 9), (8, 8)])
@torch.no_grad()
def test_the_transform_equals_a_direct_convolution_with_zeros_round_the_map(height: int, width: int) -> None:
    x, kernel = draw(2, 3, height, width), draw(3, 2 * height - 1, 2 * width - 1, seed=2)
    # conv2d slides the kernel unturned
    direct = F.conv2d(x, kernel.flip(1, 2)[:, None], padding=(height - 1, width - 1), groups=3)
    torch.testing.assert_close(fft_convolution(x, kernel), direct, rtol=0, atol=1e-10)


@torch.no_grad()
def test_the_transform_holds_in_float32() -> None:
    x, kernel = draw(1, 3, 16, 24), draw(3, 31, 47, seed=2) / 10
    exact = fft_convolution(x, kernel).float()
    torch.testing.assert_close(fft_convolution(x.float(), kernel.float()), exact, rtol=0, atol=1e-5)


def test_the_short_one_sees_7x7_or_3x3_and_the_long_one_the_map() -> None:
    x = draw(1, 16, 13, 15)
    assert torch.equal(felt(made("base_conv", kernel=3), x, 6, 7), box(13, 15, slice(5, 8), slice(6, 9)))
    assert torch.equal(felt(made("base_conv"), x, 6, 7), box(13, 15, slice(3, 10), slice(4, 11)))
    assert felt(made("base_conv", long=True), x, 6, 7).all()


@torch.no_grad()
def test_a_long_filter_is_the_same_at_every_size_of_the_map() -> None:
    net = LongFilter(4).double()
    small, large = net.kernel(3, 4), net.kernel(8, 9)
    torch.testing.assert_close(large[:, 5:10, 5:12], small, rtol=0, atol=1e-12)


@torch.no_grad()
def test_macs_of_the_long_one_are_those_of_its_filter() -> None:
    net = made("base_conv", long=True)
    assert macs(lambda: net(draw(1, 16, 5, 7))) == 16 * 16 * 35 + 9 * 13 * (2 * 16 + 16 * 16)
