"""Window attention without normalisation over the keys (Ramapuram et al. 2025, sigmoid self-attention)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from s2lic.transform.blocks.rule import Rule
from s2lic.transform.blocks.swinv2 import BIAS_MAX, WindowAttention
from s2lic.transform.window import MASKED

LAYER_SCALE = 1e-2


def sigmoid_attention(logits: Tensor, v: Tensor) -> Tensor:
    """sum_j sigmoid(logits_ij - log n_i) v_j; n_i counts the keys that query i sees, the others are `MASKED`."""
    seen = (logits > MASKED / 2).sum(-1, keepdim=True).clamp(min=1)
    return torch.sigmoid(logits - seen.to(logits.dtype).log()).to(v.dtype) @ v


class Sigmoid(Rule):
    """The rule of `sigmoid_window`: the position bias about its middle, and a scale for every channel.

    Softmax does not feel a constant bias, a sigmoid is flooded by it.
    """

    def __init__(self, dim: int, heads: int, hybrid_norm: bool) -> None:
        super().__init__()
        width = dim // heads
        self.norm = nn.LayerNorm(width) if hybrid_norm else nn.Identity()
        self.scale = nn.Parameter(torch.full((heads, 1, width), LAYER_SCALE))

    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        logits = (q @ k.transpose(-2, -1)).to(bias.dtype) + (bias - BIAS_MAX / 2)
        return self.norm(sigmoid_attention(logits, v)) * self.scale  # type: ignore[no-any-return]


def sigmoid_window(dim: int, heads: int, window: int, shift: int = 0, hybrid_norm: bool = False) -> WindowAttention:
    """SwinV2's windows and cosines under a sigmoid, (B, C, H, W)."""
    return WindowAttention(dim, heads, window, shift, Sigmoid(dim, heads, hybrid_norm))
