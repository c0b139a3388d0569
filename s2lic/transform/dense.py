"""The dense block: five convolutions, each fed by all before it, and a residual (S2LIC, feature enhancement)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DenseBlock(nn.Module):
    """(B, dim, H, W) -> (B, dim, H, W); starts as the identity, so that it grows out of what feeds it."""

    def __init__(self, dim: int, growth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(dim + i * growth, growth, 3, padding=1) for i in range(4))
        self.out = nn.Conv2d(dim + 4 * growth, dim, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for conv in self.convs:
            seen = torch.cat([seen, F.leaky_relu(conv(seen), 0.2)], dim=1)
        return x + self.out(seen)  # type: ignore[no-any-return]
