"""Hilbert's curve over a map of any size: places next to each other on it are close in the map."""

from __future__ import annotations

import torch
from torch import Tensor


def hilbert_rank(rows: Tensor, cols: Tensor, bits: int) -> Tensor:
    """How far along the curve through a square of side 2^bits each place lies (Hilbert 1891).

    From the largest quarters to the smallest: which of the four, and how the curve is turned inside it.
    """
    rank = torch.zeros_like(rows)
    for bit in reversed(range(bits)):
        side = 2**bit - 1
        lower, right = (rows >> bit) & 1, (cols >> bit) & 1
        rank = 4 * rank + ((3 * right) ^ lower)
        rows, cols = _turned(rows & side, cols & side, lower == 0, right == 1, side)
    return rank


def _turned(rows: Tensor, cols: Tensor, upper: Tensor, right: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Places inside a quarter as the curve meets them: the upper two transposed, the right of them mirrored too."""
    mirrored = upper & right
    rows, cols = torch.where(mirrored, side - rows, rows), torch.where(mirrored, side - cols, cols)
    return torch.where(upper, cols, rows), torch.where(upper, rows, cols)


def curve_order(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """(H W,): the flat index of each place in the order of the curve; parts of it outside the map are left out."""
    bits = max(height - 1, width - 1).bit_length()
    rows, cols = torch.arange(height, device=device), torch.arange(width, device=device)
    at = torch.meshgrid(rows, cols, indexing="ij")
    return hilbert_rank(at[0].flatten(), at[1].flatten(), bits).argsort()
