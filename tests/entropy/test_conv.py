"""A sum over shifted maps is the convolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from s2lic.entropy.conv import POINTS, STEP, Conv, lagrange, powers, summed, transforms, winograd

SIZES = [(1, 1), (1, 9), (7, 1), (2, 3), (8, 8), (13, 6)]


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("groups", [1, 6], ids=["full", "one kernel a channel"])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_sums_of_taps_are_the_convolution(height: int, width: int, kernel: int, groups: int) -> None:
    torch.manual_seed(0)
    net, x = Conv(6, 6 if groups > 1 else 5, kernel, groups).double(), draw(3, 6, height, width)
    expected = F.conv2d(x, net.weight, net.bias, padding=kernel // 2, groups=groups)
    torch.testing.assert_close(net(x), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("kernel", "products"), [(3, 2048), (5, 512), (3, 2047), (5, 511), (1, 4096)])
@pytest.mark.parametrize(("height", "width"), [(24, 16), (19, 21), (23, 16)])
def test_large_maps_and_small_ones_are_the_convolution(
    kernel: int, products: int, height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []
    monkeypatch.setattr("s2lic.entropy.conv.winograd", lambda *given: called.append(kernel) or winograd(*given))
    net, x = Conv(1, products, kernel).double(), draw(1, 1, height, width)
    torch.testing.assert_close(net(x), F.conv2d(x, net.weight, net.bias, padding=kernel // 2), rtol=0, atol=1e-12)
    assert bool(called) == (height * width >= 384 and products >= {3: 2048, 5: 512}.get(kernel, 10**9))


def test_a_map_of_any_layout_gives_the_same() -> None:
    net, x = Conv(4, 3, 3).double(), draw(2, 4, 5, 7)
    assert torch.equal(net(x.contiguous(memory_format=torch.channels_last)), net(x))
    turned = draw(2, 4, 7, 5).transpose(2, 3)
    assert torch.equal(net(turned), net(turned.contiguous()))


def test_nothing_is_changed_in_place() -> None:
    net, x = Conv(4, 4, 3, groups=4).double(), draw(1, 4, 5, 5)
    before = x.clone(), *(p.clone() for p in net.parameters())
    net(x)
    assert all(torch.equal(a, b) for a, b in zip(before, (x, *net.parameters()), strict=True))


@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_are_those_of_the_sums(groups: int) -> None:
    weight = draw(2, 2 // groups, 3, 3).requires_grad_()
    assert torch.autograd.gradcheck(summed, (draw(1, 2, 3, 4).requires_grad_(), weight, draw(2).requires_grad_()))


def test_in_single_precision_it_is_an_ordinary_convolution() -> None:
    net, x = Conv(4, 3, 5), draw(2, 4, 6, 5).float()
    assert torch.equal(net(x), F.conv2d(x, net.weight, net.bias, padding=2))


WINOGRAD_SIZES = [(1, 1), (1, 9), (4, 4), (5, 3), (16, 24), (13, 18)]


@pytest.mark.parametrize("kernel", POINTS)
@pytest.mark.parametrize(("height", "width"), WINOGRAD_SIZES)
def test_it_is_the_convolution_to_fourteen_digits(height: int, width: int, kernel: int) -> None:
    x, weight, bias = draw(2, 40, height, width), draw(24, 40, kernel, kernel), draw(24)
    expected = F.conv2d(x, weight, bias, padding=kernel // 2)
    assert (winograd(x, weight, bias) - expected).abs().max() < 1e-13 * expected.abs().max()


@pytest.mark.parametrize("kernel", POINTS)
def test_the_transform_of_a_tile_undoes_the_values_of_a_polynomial(kernel: int) -> None:
    points = np.array(POINTS[kernel], np.float64)
    values = powers(points, len(points) + 1)
    np.testing.assert_allclose(lagrange(points).T @ values, np.eye(len(points) + 1), rtol=0, atol=1e-13)


@pytest.mark.parametrize("kernel", POINTS)
def test_a_tile_gives_the_sums_of_its_products(kernel: int) -> None:
    side = STEP + kernel - 1
    tile, weight = draw(side, side), draw(kernel, kernel)
    of_input, of_kernel, of_output = transforms(kernel)
    found = of_output @ ((of_kernel @ weight.flatten()) * (of_input @ tile.flatten()))
    sums = [(tile[i : i + kernel, j : j + kernel] * weight).sum() for i in range(STEP) for j in range(STEP)]
    torch.testing.assert_close(found, torch.stack(sums), rtol=0, atol=1e-11)


def test_the_inverse_is_exact_where_its_fractions_are() -> None:
    assert lagrange(np.array([0.0, 1.0, -1.0])).tolist() == [
        [1, 0, -1, 0],
        [0, 0.5, 0.5, 0],
        [0, -0.5, 0.5, 0],
        [0, -1, 0, 1],
    ]
