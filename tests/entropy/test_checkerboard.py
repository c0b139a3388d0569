"""The two halves of a checkerboard."""

from __future__ import annotations

import pytest
import torch

from s2lic.entropy.checkerboard import Checkerboard, tokens

SIZES = [(1, 1), (1, 2), (1, 7), (6, 1), (2, 2), (3, 5), (4, 6), (5, 5)]
CPU = torch.device("cpu")


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_anchors_are_the_even_squares_and_others_the_odd_in_raster_order(height: int, width: int) -> None:
    board = Checkerboard.of(height, width, CPU)
    squares = [(r, c) for r in range(height) for c in range(width)]
    even = [r * width + c for r, c in squares if (r + c) % 2 == 0]
    odd = [r * width + c for r, c in squares if (r + c) % 2 == 1]
    assert board.anchors.tolist() == even
    assert board.others.tolist() == odd
    assert [half.tolist() for half in board.halves()] == [even, odd]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_map_cut_into_halves_is_put_together_again(height: int, width: int) -> None:
    board = Checkerboard.of(height, width, CPU)
    x = torch.arange(2 * 3 * height * width).view(2, 3, height, width)
    flat = tokens(x)
    assert flat.shape == (2, height * width, 3)
    assert torch.equal(flat[1, -1], x[1, :, -1, -1])
    assert torch.equal(board.to_map(flat[:, board.anchors], flat[:, board.others]), x)


def test_a_map_of_anchors_is_zero_on_the_other_squares() -> None:
    board = Checkerboard.of(3, 4, CPU)
    x = torch.arange(1.0, 13).view(1, 1, 3, 4)
    rows, cols = torch.meshgrid(torch.arange(3), torch.arange(4), indexing="ij")
    expected = torch.where((rows + cols) % 2 == 0, x, 0)
    assert torch.equal(board.anchors_only(tokens(x)[:, board.anchors]), expected)


def test_a_single_square_is_an_anchor_and_has_no_others() -> None:
    board = Checkerboard.of(1, 1, CPU)
    x = torch.ones(2, 3, 1, 1)
    assert (len(board.anchors), len(board.others)) == (1, 0)
    assert torch.equal(board.anchors_only(tokens(x)), x)
