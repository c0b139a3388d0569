"""Cosine window attention with a log-spaced position bias (Liu et al. 2022, Swin V2)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.transform.attention.heads import join_heads, split_heads
from s2lic.transform.attention.rule import Rule, Softmax
from s2lic.transform.window import Grid, mask, merge, split

MAX_LOGIT_SCALE = math.log(100.0)
BIAS_HIDDEN = 64
BIAS_MAX = 16.0


def log_offsets(window: int) -> Tensor:
    """Relative offsets (2w-1, 2w-1, 2), log-spaced to [-1, 1] (Swin V2, equation 4, with its factor 8)."""
    steps = torch.arange(1 - window, window, dtype=torch.float32) * (8.0 / max(window - 1, 1))
    spaced = torch.sign(steps) * torch.log2(1.0 + steps.abs()) / math.log2(8.0)
    return torch.stack(torch.meshgrid(spaced, spaced, indexing="ij"), dim=-1)


def offset_index(window: int) -> Tensor:
    """The index of each query-key pair in the flattened (2w-1, 2w-1) table, (w^2, w^2)."""
    at = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij"))
    at = at.flatten(1)
    delta = at[:, :, None] - at[:, None, :] + window - 1
    return delta[0] * (2 * window - 1) + delta[1]


class PositionBias(nn.Module):
    """Continuous relative position bias: 16 sigmoid(MLP(log-spaced offset)), one value per head."""

    offsets: Tensor
    index: Tensor

    def __init__(self, window: int, heads: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(2, BIAS_HIDDEN)
        self.fc2 = nn.Linear(BIAS_HIDDEN, heads, bias=False)
        self.register_buffer("offsets", log_offsets(window), persistent=False)
        self.register_buffer("index", offset_index(window), persistent=False)

    def forward(self) -> Tensor:  # (heads, w^2, w^2)
        table = self.fc2(F.relu(self.fc1(self.offsets.to(self.fc1.weight.dtype))))
        return BIAS_MAX * torch.sigmoid(table.flatten(0, 1)[self.index].permute(2, 0, 1))


class WindowAttention(nn.Module):
    """Multi-head cosine attention inside windows, (B, C, H, W) -> the same shape, for any H and W.

    `rule` computes the output from q, k, v, bias and mask; None is softmax attention.
    """

    def __init__(self, dim: int, heads: int, window: int, shift: int = 0, rule: Rule | None = None) -> None:
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.v_bias = nn.Parameter(torch.zeros(dim))
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10.0)))
        self.bias = PositionBias(window, heads)
        self.rule = rule or Softmax()
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        grid = Grid(x.shape[2], x.shape[3], self.window, self.shift)
        q, k, v = self._heads(split(x.permute(0, 2, 3, 1), grid))
        scale = self.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()
        hidden = mask(grid, x.device) if grid.needs_mask else None
        out = self.rule.over_cosines(q, k, v, scale, self.bias(), hidden)
        return merge(self.proj(join_heads(out)), grid).permute(0, 3, 1, 2)

    def _heads(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, windows, n, C) -> q, k, v (B, windows, heads, n, C / heads). Keys have no bias."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        q, k, v = F.linear(tokens, self.qkv.weight, bias).chunk(3, dim=-1)
        return split_heads(q, self.heads), split_heads(k, self.heads), split_heads(v, self.heads)
