"""Convolutional gated linear unit: an MLP whose gate sees 3x3 neighbours (Shi 2024, TransNeXt)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def depthwise(dim: int, kernel: int) -> nn.Conv2d:
    """A depth-wise convolution that keeps the size of the map."""
    return nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim)


class ConvGlu(nn.Module):
    """fc2(GELU(conv3x3(a)) * v) with [a, v] = fc1(x), on (B, C, H, W). It has two thirds of an MLP's width."""

    def __init__(self, dim: int, ratio: int = 4) -> None:
        super().__init__()
        hidden = 2 * ratio * dim // 3
        self.fc1 = nn.Linear(dim, 2 * hidden)
        self.conv = depthwise(hidden, 3)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.fc1(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).chunk(2, dim=1)
        gated: Tensor = F.gelu(self.conv(gate)) * value
        return self.fc2(gated.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]
