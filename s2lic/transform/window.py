"""Windows over a feature map of any size: padding, shifting, masking, splitting, merging."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

# Finite, so that a query that sees only padding gives a number (cropped later) and not NaN.
MASKED = -1e9
# The value of the padding. No output may depend on it.
FILL = 0.0


@dataclass(frozen=True)
class Grid:
    """The windows of an (H, W) map, in tokens. Windows are shifted only along sides longer than one window."""

    height: int
    width: int
    window: int
    shift: int

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width, rounded up to whole windows."""
        return _ceil_to(self.height, self.window), _ceil_to(self.width, self.window)

    @property
    def shifts(self) -> tuple[int, int]:
        """The shift in rows and columns; 0 along a side that one window covers."""
        return (
            self.shift if self.height > self.window else 0,
            self.shift if self.width > self.window else 0,
        )

    @property
    def needs_mask(self) -> bool:
        """Whether some keys must be hidden from some queries of their window."""
        return any(self.shifts) or self.padded != (self.height, self.width)


def _ceil_to(size: int, step: int) -> int:
    return -(-size // step) * step


def extend(x: Tensor, rows: int, cols: int, around: int = 0) -> Tensor:
    """Pads (B, H, W, C) by `rows` at the bottom, `cols` at the right, and `around` on all sides."""
    if not (rows or cols or around):
        return x
    return F.pad(x, (0, 0, around, cols + around, around, rows + around), value=FILL)


def split(x: Tensor, grid: Grid) -> Tensor:
    """(B, H, W, C) -> (B, windows, window^2, C): pads at the right and bottom, shifts, and splits."""
    (hp, wp), (dy, dx), n = grid.padded, grid.shifts, grid.window
    x = extend(x, hp - grid.height, wp - grid.width)
    if dy or dx:
        x = torch.roll(x, (-dy, -dx), (1, 2))
    b, c = x.shape[0], x.shape[3]
    x = x.view(b, hp // n, n, wp // n, n, c).transpose(2, 3)
    return x.reshape(b, (hp // n) * (wp // n), n * n, c)


def merge(x: Tensor, grid: Grid) -> Tensor:
    """The inverse of `split`, without the padding: (B, windows, window^2, C) -> (B, H, W, C)."""
    (hp, wp), (dy, dx), n = grid.padded, grid.shifts, grid.window
    b, c = x.shape[0], x.shape[3]
    x = x.view(b, hp // n, wp // n, n, n, c).transpose(2, 3).reshape(b, hp, wp, c)
    if dy or dx:
        x = torch.roll(x, (dy, dx), (1, 2))
    return x[:, : grid.height, : grid.width]


@lru_cache(maxsize=64)
def mask(grid: Grid, device: torch.device) -> Tensor:
    """(windows, 1, window^2, window^2) float32: 0 where the query may see the key, `MASKED` elsewhere.

    Hidden keys are padding, or lie in another region after the cyclic shift (Liu et al. 2021, Swin, section 3.2).
    """
    (hp, wp), (dy, dx), n = grid.padded, grid.shifts, grid.window
    rows = _regions(hp, dy, grid.height)
    cols = _regions(wp, dx, grid.width)
    region = torch.where((rows[:, None] < 0) | (cols[None, :] < 0), -1, rows[:, None] * 4 + cols[None, :])
    cells = region.view(hp // n, n, wp // n, n).transpose(1, 2).reshape(-1, n * n)
    seen = (cells[:, :, None] == cells[:, None, :]) & (cells[:, None, :] >= 0)
    return torch.where(seen, 0.0, MASKED).unsqueeze(1).to(device)


def _regions(padded: int, shift: int, valid: int) -> Tensor:
    """The region of each shifted coordinate: 0, 1 for the part that wrapped around, -1 for padding."""
    source = (torch.arange(padded) + shift) % padded
    region = (torch.arange(padded) >= padded - shift).long() if shift else torch.zeros(padded).long()
    return torch.where(source < valid, region, -1)
