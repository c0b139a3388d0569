"""Attention among channels, with the positions of the map as features (Ding et al. 2022, DaViT)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.transform.attention.heads import join_heads, split_heads
from s2lic.transform.blocks.conv_glu import depthwise

TEMPERATURE = 10.0


def channel_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Applies softmax(k^T v), over the channels of v, to the channels of q. All are (..., positions, d)."""
    weights = torch.softmax(k.transpose(-2, -1) @ v, dim=-1)
    return q @ weights.transpose(-2, -1)


class DavitChannel(nn.Module):
    """Channel attention in groups on (B, C, H, W), between two 3x3 depth-wise convolutions with residuals.

    With scale "paper", k is divided by sqrt(d), and the logits grow with the map and saturate. With "cosine", logits
    are cosines of channels times a learned temperature, independent of the size of the map.
    """

    def __init__(self, dim: int, heads: int = 1, scale: str = "cosine", positions: bool = True) -> None:
        super().__init__()
        self.heads, self.cosine = heads, scale == "cosine"
        self.before = depthwise(dim, 3) if positions else None
        self.after = depthwise(dim, 3) if positions else None
        self.qkv = nn.Linear(dim, 3 * dim)
        self.log_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(TEMPERATURE))) if self.cosine else None
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.before is None else x + self.before(x)
        q, k, v = self.qkv(x.flatten(2).transpose(1, 2)).chunk(3, dim=-1)
        out = self.proj(join_heads(self.attend(*(split_heads(t, self.heads) for t in (q, k, v)))))
        out = out.transpose(1, 2).reshape(x.shape)
        return out if self.after is None else out + self.after(out)  # type: ignore[no-any-return]

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention on (B, heads, positions, d), without autocast: the sums are too long for bfloat16."""
        with torch.autocast(q.device.type, enabled=False):
            like = self.proj.weight.dtype
            q, k, v = q.to(like), k.to(like), v.to(like)
            if self.log_scale is None:
                return channel_attention(q, k / math.sqrt(k.shape[-1]), v)
            return channel_attention(q, F.normalize(k, dim=-2) * self.log_scale.exp(), F.normalize(v, dim=-2))
