"""The two halves of a checkerboard, as token lists in raster order."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Checkerboard:
    """Raster positions of the anchors ((row + column) even) and of the others, and the way back."""

    height: int
    width: int
    anchors: Tensor
    others: Tensor
    inverse: Tensor

    @staticmethod
    def of(height: int, width: int, device: torch.device) -> Checkerboard:
        parity = (torch.arange(height)[:, None] + torch.arange(width)[None, :]) % 2
        order = torch.argsort(parity.flatten(), stable=True).to(device)
        count = (height * width + 1) // 2
        return Checkerboard(height, width, order[:count], order[count:], torch.argsort(order))

    def halves(self) -> tuple[Tensor, Tensor]:
        return self.anchors, self.others

    def to_map(self, anchors: Tensor, others: Tensor) -> Tensor:
        """Two halves of tokens (B, P, C) -> (B, C, H, W)."""
        tokens = torch.cat([anchors, others], dim=1)[:, self.inverse]
        return tokens.transpose(1, 2).unflatten(2, (self.height, self.width))  # type: ignore[no-any-return]

    def anchors_only(self, anchors: Tensor) -> Tensor:
        """A map that holds the anchors and zeros elsewhere."""
        b, _, c = anchors.shape
        return self.to_map(anchors, anchors.new_zeros(b, len(self.others), c))


def tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H * W, C)."""
    return x.flatten(2).transpose(1, 2)
