"""A predictor of chunk boundaries, learned from the attention that tokens receive (Xiong et al. 2025, DHSA)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.transform.attention.heads import join_heads, scaled_logits, split_heads, weigh

SPAN = 4
HIDDEN = 256
SHARPNESS = 4.0
GAMMA = 2.0
LEAST_MASS = 1e-6
# The smallest ratio of the attention before and after a gap that makes a boundary, and its logit in `Boundary`.
RATIO_MIN = 1.1
LOGIT_MIN = SHARPNESS * math.log(RATIO_MIN)


def around_gaps(count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Indices (gaps, 2 SPAN) of the SPAN tokens before and after each gap, and a mask of those that exist."""
    gaps = torch.arange(count - 1, device=device).unsqueeze(1)
    at = gaps + torch.arange(1 - SPAN, 1 + SPAN, device=device)
    return at.clamp(0, count - 1), (at >= 0) & (at < count)


def halves(x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Means of the existing tokens before and after each gap: (B, gaps, 2 SPAN, C) -> two of (B, gaps, C)."""
    total = x.masked_fill(~seen.unsqueeze(-1), 0).unflatten(2, (2, SPAN)).sum(3)
    before, after = (total / seen.unflatten(1, (2, SPAN)).sum(2).unsqueeze(-1)).unbind(2)
    return before, after


def labels(mass: Tensor) -> Tensor:
    """sigmoid(4 log r), where r >= 1 is the ratio of the attention on both sides of a gap: (B, N) -> (B, N - 1)."""
    at, seen = around_gaps(mass.shape[1], mass.device)
    before, after = (half.squeeze(-1) + LEAST_MASS for half in halves(mass[:, at].unsqueeze(-1), seen))
    return torch.sigmoid(SHARPNESS * (before.log() - after.log()).abs())


def focal_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """The mean of (1 - agreement)^2 times the cross entropy of soft labels; 0 without gaps."""
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    found = torch.sigmoid(logits)
    agreement = found * wanted + (1 - found) * (1 - wanted)
    return ((1 - agreement) ** GAMMA * entropy).sum() / max(logits.numel(), 1)


class Boundary(nn.Module):
    """Predicts 4 log r of each gap from keys: (B, N, C) -> (B, N - 1).

    The SPAN tokens before and after a gap attend to each other. The means l and r of both sides, |l - r|, l r and their
    cosine then pass two layers.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(4 * dim + 1, HIDDEN)
        self.fc2 = nn.Linear(HIDDEN, 1)

    def forward(self, keys: Tensor) -> Tensor:
        at, seen = around_gaps(keys.shape[1], keys.device)
        q, k, v = (split_heads(t, self.heads) for t in self.qkv(keys)[:, at].chunk(3, dim=-1))
        mixed = weigh(scaled_logits(q, k), seen[:, None, None]) @ v
        before, after = halves(self.norm(self.proj(join_heads(mixed))), seen)
        alike = F.cosine_similarity(before, after, dim=-1).unsqueeze(-1)
        features = torch.cat([before, after, (before - after).abs(), before * after, alike], dim=-1)
        return self.fc2(F.relu(self.fc1(features))).squeeze(-1)  # type: ignore[no-any-return]
