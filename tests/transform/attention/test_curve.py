"""Hilbert's curve: every place once, neighbours beside each other, back again without loss."""

from __future__ import annotations

import pytest
import torch

from s2lic.transform.attention.curve import curve_order
from tests.references.blocks import draw

SIZES = [(1, 1), (1, 7), (8, 8), (13, 9), (5, 64), (17, 3)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_order_is_a_bijection_whose_inverse_gives_the_map_back(height: int, width: int) -> None:
    order, x = curve_order(height, width), draw(height * width)
    assert order.sort().values.tolist() == list(range(height * width))
    assert torch.equal(x[order][order.argsort()], x)


@pytest.mark.parametrize("side", [2, 4, 16])
def test_on_a_square_each_step_goes_to_a_neighbour(side: int) -> None:
    order = curve_order(side, side)
    steps = (order // side).diff().abs() + (order % side).diff().abs()
    assert (steps == 1).all()


def test_runs_of_the_curve_are_compact() -> None:
    """Each 64 consecutive places of 32 x 32 are a square of 8 x 8; of an odd map closer together than rows are."""
    order = curve_order(32, 32).view(-1, 64)
    for axis in (order // 32, order % 32):
        assert (axis.amax(1) - axis.amin(1) == 7).all()
    odd = curve_order(27, 45)[: 27 * 45 // 32 * 32].view(-1, 32)
    spread = (odd // 45).float().std(1) + (odd % 45).float().std(1)
    assert spread.mean() < torch.arange(32.0).std() / 2
