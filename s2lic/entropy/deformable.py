"""Deformable inter-slice attention: every latent looks at a few learned points of the decoded slices.

Xia et al. 2022 (Vision Transformer with Deformable Attention, section 3.2), as S2LIC uses it across slices.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.entropy.conv import Conv

GRID_MAX = 16
OFFSET_REACH = 2.0
BIAS_HIDDEN = 16


def reference_points(height: int, width: int, like: Tensor) -> Tensor:
    """(points, 2) row and column of a regular grid of cell centres, at most 16x16 whatever the size."""
    rows, cols = (
        (torch.arange(g, dtype=like.dtype, device=like.device) + 0.5) * (size / g) - 0.5
        for size, g in ((height, min(height, GRID_MAX)), (width, min(width, GRID_MAX)))
    )
    return torch.stack(torch.meshgrid(rows, cols, indexing="ij"), dim=-1).flatten(0, 1)


def sample_points(x: Tensor, points: Tensor) -> Tensor:
    """Bilinear samples of x (B, C, H, W) at points (B, G, 2) in latent units, edges repeated -> (B, G, C)."""
    size = torch.tensor(x.shape[2:], dtype=points.dtype, device=points.device)
    unit = 2 * points / (size - 1).clamp(min=1) - 1
    grid = unit.flip(-1).unsqueeze(1)  # grid_sample wants (x, y)
    out = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return out.squeeze(2).transpose(1, 2)


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """softmax(q k / sqrt(d) + bias) v; q (B, heads, N, d), k and v (B, heads, G, d)."""
    scale = 1 / math.sqrt(q.shape[-1])
    logits = torch.baddbmm(bias.flatten(0, 1), q.flatten(0, 1), (k * scale).transpose(2, 3).flatten(0, 1))
    weights = torch.softmax(logits, dim=-1).to(v.dtype).view_as(bias)
    return (v.transpose(2, 3) @ weights.transpose(2, 3)).transpose(2, 3)  # long rows multiply faster


class AxisBias(nn.Module):
    """Position bias of one axis: an MLP of the log-spaced distance from each line to each key, a value a head."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(1, BIAS_HIDDEN)
        self.fc2 = nn.Linear(BIAS_HIDDEN, heads, bias=False)
        nn.init.zeros_(self.fc2.weight)

    def forward(self, size: int, at: Tensor) -> Tensor:
        """at: (B, G) key coordinates -> (B, heads, size, G)."""
        lines = torch.arange(size, dtype=at.dtype, device=at.device)
        delta = at[:, None, :] - lines[None, :, None]
        spaced = torch.sign(delta) * torch.log1p(delta.abs())
        bias: Tensor = self.fc2(F.gelu(self.fc1(spaced.unsqueeze(-1))))
        return bias.permute(0, 3, 1, 2)


class DeformableAttention(nn.Module):
    """(B, S, H, W) decoded slices -> (B, dim, H, W).

    The position bias is a sum of a row part and a column part: (H + W) x G evaluations instead of H x W x G.
    """

    def __init__(self, source: int, dim: int, head_width: int) -> None:
        super().__init__()
        self.heads = max(dim // head_width, 1)
        self.to_q = nn.Conv2d(source, dim, 1)
        self.to_kv = nn.Linear(source, 2 * dim)
        self.spread = Conv(dim, dim, 5, groups=dim)
        self.to_offset = nn.Conv2d(dim, 2, 1, bias=False)
        self.row_bias, self.col_bias = AxisBias(self.heads), AxisBias(self.heads)
        nn.init.normal_(self.to_offset.weight, std=0.01)

    def points(self, q: Tensor) -> Tensor:
        """(B, G, 2): the reference grid plus offsets of at most `OFFSET_REACH` grid cells."""
        height, width = q.shape[2:]
        grid = (min(height, GRID_MAX), min(width, GRID_MAX))
        pooled = F.gelu(F.adaptive_avg_pool2d(self.spread(q), grid))
        offset = torch.tanh(self.to_offset(pooled)).flatten(2).transpose(1, 2)
        cell = offset.new_tensor([height / grid[0], width / grid[1]])
        return reference_points(height, width, offset) + offset * cell * OFFSET_REACH

    def forward(self, x: Tensor) -> Tensor:
        q = self.to_q(x)
        height, width = q.shape[2:]
        points = self.points(q).to(x.dtype)
        k, v = self.to_kv(sample_points(x, points)).chunk(2, dim=-1)
        out = attend(
            self._heads(q.flatten(2).transpose(1, 2)),
            self._heads(k),
            self._heads(v),
            self.bias(height, width, points),
        )
        merged = out.transpose(2, 3).flatten(1, 2)
        return merged.view(merged.shape[0], -1, height, width)

    def bias(self, height: int, width: int, points: Tensor) -> Tensor:
        """(B, heads, H * W, G)."""
        rows = self.row_bias(height, points[..., 0]).unsqueeze(3)
        cols = self.col_bias(width, points[..., 1]).unsqueeze(2)
        bias: Tensor = rows + cols
        return bias.flatten(2, 3)

    def _heads(self, tokens: Tensor) -> Tensor:  # (B, N, dim) -> (B, heads, N, d)
        return tokens.unflatten(2, (self.heads, -1)).transpose(1, 2)  # type: ignore[no-any-return]
