"""Window attention with extra keys that absorb attention and have no value (after Kukleva et al. 2025, RefAM)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.transform.attention.rule import Rule
from s2lic.transform.blocks.swinv2 import BIAS_MAX, WindowAttention

MAGNETS = 4


def magnet_attention(logits: Tensor, magnets: Tensor, v: Tensor) -> Tensor:
    """softmax([logits, magnets]) without the weights of the magnets, times v: (..., n), (..., m), (n, d) -> (..., d).

    Computed as the softmax over the keys, times the mass that the magnets leave.
    """
    kept = torch.sigmoid(torch.logsumexp(logits, -1, keepdim=True) - torch.logsumexp(magnets, -1, keepdim=True))
    return (torch.softmax(logits, dim=-1) * kept).to(v.dtype) @ v


class Magnets(Rule):
    """The rule of `magnet`: learned keys, with the centre of the position bias so that they start like other keys."""

    def __init__(self, dim: int, heads: int, count: int) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(heads, count, dim // heads))

    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        magnets = q @ F.normalize(self.keys, dim=-1).transpose(-2, -1) + BIAS_MAX / 2
        return magnet_attention(q @ k.transpose(-2, -1) + bias, magnets, v)


def magnet(dim: int, heads: int, window: int, shift: int = 0, count: int = MAGNETS) -> WindowAttention:
    """Cosine window attention of SwinV2 with `count` magnets per head, on (B, C, H, W)."""
    return WindowAttention(dim, heads, window, shift, Magnets(dim, heads, count))
