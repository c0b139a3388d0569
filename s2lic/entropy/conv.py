"""Convolutions that keep the size of a map."""

from __future__ import annotations

from torch import nn


class Conv(nn.Conv2d):
    """Stride 1, an odd kernel, zeros around the map: (B, C, H, W) -> (B, dim, H, W).

    `groups` is 1, or C for one kernel a channel.
    """

    def __init__(self, source: int, dim: int, kernel: int, groups: int = 1) -> None:
        super().__init__(source, dim, kernel, padding=kernel // 2, groups=groups)
