"""Pairs are counted without a matrix as they are with it."""

from __future__ import annotations

import pytest
import torch

from s2lic.lab.attnbench.masks import PATTERNS
from s2lic.transform.window import Grid, mask

every_mask = pytest.mark.parametrize("key", list(PATTERNS))


@every_mask
@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 64), (13, 9), (16, 24), (20, 31)])
def test_the_count_is_that_of_the_matrix(key: str, height: int, width: int) -> None:
    pattern = PATTERNS[key]
    assert pattern.pairs(height, width) == int(pattern.matrix(height, width).sum())


def test_the_shifted_windows_are_those_of_the_transform() -> None:
    grid = Grid(8, 24, 8, 4)
    inside = (mask(grid, torch.device("cpu")) == 0).sum()
    assert PATTERNS["shifted window"].pairs(8, 24) == int(inside)


def test_some_see_nobody_under_the_checkerboard_and_in_the_first_slice() -> None:
    assert (~PATTERNS["checkerboard"].matrix(6, 6).any(1)).sum() == 18
    assert not PATTERNS["slices"].matrix(10, 10)[:10].any()


def test_raster_order_sees_itself_and_what_came_before() -> None:
    assert torch.equal(PATTERNS["raster"].matrix(3, 4), torch.ones(12, 12).tril().bool())
