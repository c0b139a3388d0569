"""The Hilbert curve over a map of any size. Neighbours on the curve are close in the map."""

from __future__ import annotations

import torch
from torch import Tensor


def hilbert_rank(rows: Tensor, cols: Tensor, bits: int) -> Tensor:
    """The index of each position along the curve through a square of side 2^bits (Hilbert 1891).

    Each bit selects one of four quarters, and how the curve is turned inside it.
    """
    rank = torch.zeros_like(rows)
    for bit in reversed(range(bits)):
        side = 2**bit - 1
        lower, right = (rows >> bit) & 1, (cols >> bit) & 1
        rank = 4 * rank + ((3 * right) ^ lower)
        rows, cols = _turned(rows & side, cols & side, lower == 0, right == 1, side)
    return rank


def _turned(rows: Tensor, cols: Tensor, upper: Tensor, right: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Positions in the orientation of their quarter: the upper two transposed, the upper right one also mirrored."""
    mirrored = upper & right
    rows, cols = torch.where(mirrored, side - rows, rows), torch.where(mirrored, side - cols, cols)
    return torch.where(upper, cols, rows), torch.where(upper, rows, cols)


def curve_order(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Flat indices of all positions in the order of the curve, (H W,)."""
    bits = max(height - 1, width - 1).bit_length()
    rows, cols = torch.arange(height, device=device), torch.arange(width, device=device)
    at = torch.meshgrid(rows, cols, indexing="ij")
    return hilbert_rank(at[0].flatten(), at[1].flatten(), bits).argsort()
