"""The two halves of a checkerboard as raster positions, and a convolution from one half to the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Checkerboard:
    """Raster positions of the anchors ((row + column) even) and of the others, and the inverse permutation."""

    height: int
    width: int
    anchors: Tensor
    others: Tensor
    inverse: Tensor

    @staticmethod
    def of(height: int, width: int, device: torch.device) -> Checkerboard:
        """The checkerboard of a map. If one half is larger, it is the anchors."""
        parity = (torch.arange(height)[:, None] + torch.arange(width)[None, :]) % 2
        order = torch.argsort(parity.flatten(), stable=True).to(device)
        count = (height * width + 1) // 2
        return Checkerboard(height, width, order[:count], order[count:], torch.argsort(order))

    def to_map(self, anchors: Tensor, others: Tensor) -> Tensor:
        """Two halves (B, C, P) -> (B, C, H, W)."""
        whole = take(torch.cat([anchors, others], dim=2), self.inverse)
        return whole.unflatten(2, (self.height, self.width))  # type: ignore[no-any-return]

    def anchors_around(self, reach: int) -> Tensor:
        """The index of the anchor under each odd tap of a kernel at each of the others, (others, taps).

        Taps are in raster order. Outside the map the index is the number of anchors.
        """
        row, column = (self.others // self.width)[:, None], (self.others % self.width)[:, None]
        tap = odd_taps(2 * reach + 1).to(self.others.device)
        row, column = row + tap // (2 * reach + 1) - reach, column + tap % (2 * reach + 1) - reach
        inside = (row >= 0) & (row < self.height) & (column >= 0) & (column < self.width)
        return torch.where(inside, self.inverse[(row * self.width + column) * inside], len(self.anchors))


class FromAnchors(nn.Conv2d):
    """A convolution with an odd kernel over the anchors, computed at the others: (B, C, P) -> (B, dim, P').

    The others would be zeros in the input, so every second tap is skipped. The sums are the same.
    """

    def __init__(self, source: int, dim: int, kernel: int) -> None:
        super().__init__(source, dim, kernel, padding=kernel // 2)

    def forward(self, anchors: Tensor, board: Checkerboard) -> Tensor:  # type: ignore[override]
        around = board.anchors_around(self.weight.shape[-1] // 2)
        taps = odd_taps(self.weight.shape[-1]).to(around.device)
        matrix = self.weight.flatten(2)[:, :, taps].permute(1, 2, 0).flatten(1)  # (C, taps * dim)
        spread = F.pad(anchors, (0, 1)).transpose(1, 2) @ matrix
        parts = spread.unflatten(2, (len(taps), -1)).flatten(1, 2)  # (B, (P + 1) * taps, dim)
        found = parts.index_select(1, (around * len(taps) + torch.arange(len(taps)).to(around)).flatten())
        summed: Tensor = found.unflatten(1, around.shape).sum(2) + self.bias
        return summed.transpose(1, 2)


def odd_taps(size: int) -> Tensor:
    """The taps of a kernel at an odd distance from its centre, in raster order."""
    return torch.arange(1, size * size, 2)


def take(x: Tensor, positions: Tensor) -> Tensor:
    """(B, C, N) at positions (P,) -> (B, C, P)."""
    return x.gather(2, positions.expand(*x.shape[:2], -1))


def tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H * W, C)."""
    return x.flatten(2).transpose(1, 2)
