"""Two 3x3 convolutions with a residual connection and no normalisation (Lim et al. 2017, EDSR, figure 2)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ResidualPair(nn.Module):
    """x + conv3x3(GELU(conv3x3(x))) at full width, (B, C, H, W). It starts as the identity.

    A CPU computes wide 3x3 convolutions at twice the rate of narrow 1x1 convolutions.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(dim, dim, 3, padding=1)
        self.second = nn.Conv2d(dim, dim, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.gelu(self.first(x))).add_(x)  # type: ignore[no-any-return]
