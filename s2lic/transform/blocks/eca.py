"""Efficient channel attention (Wang et al. 2020, ECA-Net)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def kernel_size(dim: int) -> int:
    """The odd number nearest to (log2(C) + 1) / 2, at least 3: 3 at 64 channels, 5 from 128 to 1024."""
    near = int(abs(math.log2(dim) / 2 + 0.5))
    return max(near if near % 2 else near + 1, 3)


class Eca(nn.Module):
    """x * sigmoid(conv1d(mean over the map)) on (B, C, H, W): one small kernel slides along the channels.

    The mean is over the whole map, so tiles change the result.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        kernel = kernel_size(dim)
        self.conv = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)

    def gate(self, x: Tensor) -> Tensor:
        """The factors (B, C, 1, 1), between 0 and 1."""
        return torch.sigmoid(self.conv(x.mean((2, 3)).unsqueeze(1))).transpose(1, 2).unsqueeze(3)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)
