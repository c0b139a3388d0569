"""The two halves of a checkerboard."""

from __future__ import annotations

import pytest
import torch

from s2lic.entropy.checkerboard import Checkerboard, FromAnchors, take

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
    assert [half.tolist() for half in (board.anchors, board.others)] == [even, odd]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_map_cut_into_halves_is_put_together_again(height: int, width: int) -> None:
    board = Checkerboard.of(height, width, CPU)
    x = torch.arange(2 * 3 * height * width).view(2, 3, height, width)
    anchors, others = (take(x.flatten(2), half) for half in (board.anchors, board.others))
    assert anchors[1, :, 0].tolist() == x[1, :, 0, 0].tolist()
    assert torch.equal(board.to_map(anchors, others), x)


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_convolution_from_anchors_is_one_over_their_map_at_the_others(height: int, width: int, kernel: int) -> None:
    torch.manual_seed(0)
    net, board = FromAnchors(3, 4, kernel).double(), Checkerboard.of(height, width, CPU)
    x = torch.randn(2, 3, height, width, dtype=torch.float64)
    rows, cols = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    everywhere = net._conv_forward(torch.where((rows + cols) % 2 == 0, x, 0), net.weight, net.bias)
    found = net(take(x.flatten(2), board.anchors), board)
    assert found.shape == (2, 4, len(board.others))
    torch.testing.assert_close(found, take(everywhere.flatten(2), board.others), rtol=0, atol=1e-13)


def test_a_single_square_is_an_anchor_and_has_no_others() -> None:
    board = Checkerboard.of(1, 1, CPU)
    x = torch.ones(2, 3, 1, 1)
    assert (len(board.anchors), len(board.others)) == (1, 0)
    assert torch.equal(board.to_map(x.flatten(2), x.new_zeros(2, 3, 0)), x)
