"""A convolution that keeps the size of a map."""

from __future__ import annotations

from torch import nn


class Conv(nn.Conv2d):
    """Stride 1, an odd kernel, zero padding: (B, C, H, W) -> (B, dim, H, W).

    `groups` is 1, or C for one kernel per channel.
    """

    def __init__(self, source: int, dim: int, kernel: int, groups: int = 1) -> None:
        super().__init__(source, dim, kernel, padding=kernel // 2, groups=groups)
