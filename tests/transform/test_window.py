"""Windows over a map of any size: nothing is lost, and nothing is seen that should not be."""

from __future__ import annotations

import pytest
import torch

from s2lic.transform.window import MASKED, Grid, mask, merge, split
from tests.references.swin import axis_groups

SIZES = [(1, 1), (8, 8), (16, 24), (13, 9), (5, 64), (17, 3)]
CPU = torch.device("cpu")


def grids() -> list[Grid]:
    small = [Grid(h, w, 4, s) for h, w in SIZES for s in (0, 1, 2)]
    return small + [Grid(h, w, 8, s) for h, w in SIZES for s in (0, 4)]


def named(grid: Grid) -> str:
    return f"{grid.height}x{grid.width} window {grid.window} shift {grid.shift}"


def coordinates(grid: Grid) -> torch.Tensor:
    """(H, W, 2) of 1 + row and 1 + column, so that zero padding cannot pass for a token."""
    rows, cols = torch.meshgrid(torch.arange(grid.height), torch.arange(grid.width), indexing="ij")
    return torch.stack([rows, cols], dim=-1) + 1


@pytest.mark.parametrize("grid", grids(), ids=named)
def test_merge_is_the_inverse_of_split(grid: Grid) -> None:
    x = torch.randn(2, grid.height, grid.width, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(merge(split(x, grid), grid), x)


@pytest.mark.parametrize("grid", grids(), ids=named)
def test_the_mask_lets_a_token_see_its_own_window_of_the_map_and_nothing_else(grid: Grid) -> None:
    cells = split(coordinates(grid).unsqueeze(0), grid)[0]  # (windows, n, 2), zeros in the padding
    allowed = torch.zeros(grid.height * grid.width, grid.height * grid.width, dtype=torch.bool)
    for rows in axis_groups(grid.height, grid.window, grid.shift):
        for cols in axis_groups(grid.width, grid.window, grid.shift):
            at = torch.tensor([r * grid.width + c for r in rows for c in cols])
            allowed[at[:, None], at] = True
    seen = torch.zeros_like(allowed)
    for tokens, hidden in zip(cells, mask(grid, CPU)[:, 0], strict=True):
        real = tokens[:, 0] > 0
        at = (tokens[real, 0] - 1) * grid.width + tokens[real, 1] - 1
        seen[at[:, None], at] = hidden[real][:, real] == 0
        assert (hidden[:, ~real] == MASKED).all()
    assert torch.equal(seen, allowed)


def test_only_maps_that_do_not_fill_their_windows_or_are_shifted_need_a_mask() -> None:
    assert not Grid(16, 24, 8, 0).needs_mask
    assert Grid(16, 24, 8, 4).needs_mask
    assert Grid(16, 20, 8, 0).needs_mask
    assert not Grid(8, 8, 8, 4).needs_mask  # one window covers the map: it is not shifted


def test_an_axis_that_one_window_covers_is_not_shifted() -> None:
    assert Grid(8, 9, 8, 4).shifts == (0, 4)
    assert Grid(3, 64, 8, 4).shifts == (0, 4)


def test_padding_stands_at_the_right_and_bottom_and_is_zero() -> None:
    grid = Grid(3, 5, 4, 0)
    windows = split(torch.ones(1, 3, 5, 1), grid).view(1, 2, 4, 4)
    assert grid.padded == (4, 8)
    assert torch.equal(windows[0, 0, :3], torch.ones(3, 4))
    assert torch.equal(windows[0, 1, :3], torch.tensor([1.0, 0, 0, 0]).repeat(3, 1))
    assert (windows[0, :, 3] == 0).all()
