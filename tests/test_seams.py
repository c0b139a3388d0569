"""What an error beside a border of tiles is worth."""

from __future__ import annotations

import torch

from s2lic.container.tiles import HALO, Layout
from s2lic.seams import EXTRA, REACH, beside_borders

LAYOUT = Layout(300, 256, 192, 256)


def test_pixels_on_both_sides_of_a_border_are_worth_more_and_all_others_one() -> None:
    for cell in LAYOUT.cells():
        tile = LAYOUT.tile(*cell)
        seen = tile.grown(HALO, LAYOUT.whole)
        found = beside_borders(tile, seen, LAYOUT.whole)
        at = torch.arange(seen.left, seen.right)
        expected = 1 + EXTRA * ((at >= 192 - REACH) & (at < 192 + REACH))
        assert torch.allclose(found, expected.expand(1, 1, seen.height, seen.width).float())


def test_a_picture_in_one_stream_has_no_borders() -> None:
    whole = LAYOUT.whole
    assert (beside_borders(whole, whole, whole) == 1).all()
