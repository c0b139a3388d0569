"""Fewer products, the same convolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from s2lic.entropy.winograd import POINTS, STEP, lagrange, powers, transforms, winograd

SIZES = [(1, 1), (1, 9), (4, 4), (5, 3), (16, 24), (13, 18)]


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("kernel", POINTS)
@pytest.mark.parametrize(("height", "width"), SIZES)
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
