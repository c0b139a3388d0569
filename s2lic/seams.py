"""What an error beside the border of two tiles is worth to an encoder that searches each tile apart."""

from __future__ import annotations

import torch
from torch import Tensor

from s2lic.container.tiles import Box

# A tile's search cannot make up for what its neighbour will do, so that pixels beside the border would lose more than
# others. Tried on training photographs: with much more both sides correct the same error where steps are fine.
REACH, EXTRA = 32, 0.2


def beside_borders(tile: Box, seen: Box, whole: Box) -> Tensor:
    """(1, 1, H, W) for the pixels of `seen`: 1, and more within `REACH` of the borders of `tile` inside the picture."""
    rows = _near(tile.top, tile.bottom, whole.bottom, torch.arange(seen.top, seen.bottom))
    columns = _near(tile.left, tile.right, whole.right, torch.arange(seen.left, seen.right))
    return 1 + EXTRA * (rows[:, None] | columns)[None, None]


def _near(start: int, stop: int, end: int, at: Tensor) -> Tensor:
    """Which places are near the start of a tile or its stop; those of the picture are no borders of tiles."""
    near = torch.zeros_like(at, dtype=torch.bool)
    for border in {start, stop} - {0, end}:
        near |= (at >= border - REACH) & (at < border + REACH)
    return near
