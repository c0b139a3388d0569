"""The gated convolution of Mamba without the state-space model (Yu and Wang 2025, MambaOut)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.transform.blocks.conv_glu import depthwise


class GatedCnn(nn.Module):
    """x + fc2(GELU(g) * [i, conv7x7(c)]) with [g, i, c] = fc1(LN(x)), on (B, C, H, W).

    Only `conv_ratio` * C of the hidden channels are convolved. The block has its own norm and residual and mixes
    channels, so it replaces both attention and MLP.
    """

    def __init__(self, dim: int, conv_ratio: float = 1.0) -> None:
        super().__init__()
        hidden, mixed = 8 * dim // 3, int(conv_ratio * dim)
        self.sizes = [hidden, hidden - mixed, mixed]
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.fc1 = nn.Linear(dim, 2 * hidden)
        self.conv = depthwise(mixed, 7) if mixed else None
        self.fc2 = nn.Linear(hidden, dim)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, x: Tensor) -> Tensor:
        gate, plain, mixed = self.fc1(self.norm(x.permute(0, 2, 3, 1))).split(self.sizes, dim=-1)
        if self.conv is not None:
            mixed = self.conv(mixed.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        gated = F.gelu(gate) * torch.cat([plain, mixed], dim=-1)
        return x + self.fc2(gated).permute(0, 3, 1, 2)  # type: ignore[no-any-return]
