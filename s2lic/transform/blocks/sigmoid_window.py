"""Window attention without normalisation over the keys (Ramapuram et al. 2025, sigmoid self-attention)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from s2lic.kernels.sigmoid_attention import sigmoid_attention
from s2lic.kernels.sigmoid_attention.naive import weigh
from s2lic.transform.attention.rule import Rule
from s2lic.transform.blocks.swinv2 import BIAS_MAX, WindowAttention

LAYER_SCALE = 1e-2


class Sigmoid(Rule):
    """The rule of `sigmoid_window`, with a centred position bias and a learned scale per channel.

    A constant bias does not change a softmax, but it saturates a sigmoid.
    """

    def __init__(self, dim: int, heads: int, hybrid_norm: bool) -> None:
        super().__init__()
        width = dim // heads
        self.norm = nn.LayerNorm(width) if hybrid_norm else nn.Identity()
        self.scale = nn.Parameter(torch.full((heads, 1, width), LAYER_SCALE))

    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        return self._scaled(weigh((q @ k.transpose(-2, -1)).to(bias.dtype) + (bias - BIAS_MAX / 2), v))

    def over_cosines(self, q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
        return self._scaled(sigmoid_attention(q, k, v, scale, bias - BIAS_MAX / 2, mask))

    def _scaled(self, out: Tensor) -> Tensor:
        return self.norm(out) * self.scale  # type: ignore[no-any-return]


def sigmoid_window(dim: int, heads: int, window: int, shift: int = 0, hybrid_norm: bool = False) -> WindowAttention:
    """Cosine window attention of SwinV2 with a sigmoid, on (B, C, H, W)."""
    return WindowAttention(dim, heads, window, shift, Sigmoid(dim, heads, hybrid_norm))
