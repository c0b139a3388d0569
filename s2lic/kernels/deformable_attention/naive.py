"""Deformable attention in plain torch, the reference for the kernel."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

# Logits per step on a CPU, so that they stay in the cache: all at once take three times as long.
PART = 2**18


def deformable_attention(
    q: Tensor, x: Tensor, points: Tensor, to_kv: Callable[[Tensor], Tensor], rows: Tensor, cols: Tensor
) -> Tensor:
    """See the public function of that name."""
    heads, height = rows.shape[1:3]
    k, v = (by_head(t, heads) for t in to_kv(sample_points(x, points)).chunk(2, dim=-1))
    q = q.unflatten(1, (heads, -1))
    step = height if q.is_cuda else max(1, PART // max(1, cols.numel()))
    done = [attend(q[:, :, :, i : i + step], k, v, rows[:, :, i : i + step], cols) for i in range(0, height, step)]
    return torch.cat(done, dim=3).flatten(1, 2)


def sample_points(x: Tensor, points: Tensor) -> Tensor:
    """Bilinear samples of x (B, C, H, W) at points (B, G, 2) in units of places, edges repeated -> (B, G, C)."""
    size = torch.tensor(x.shape[2:], dtype=points.dtype, device=points.device)
    # On a CPU, the backward pass of torch's sampler reads out of bounds for NaN coordinates.
    unit = (2 * points / (size - 1).clamp(min=1) - 1).nan_to_num()
    grid = unit.flip(-1).unsqueeze(1)  # grid_sample wants (x, y)
    out = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return out.squeeze(2).transpose(1, 2)


def attend(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    """softmax(q k / sqrt(d) + rows + cols) v: q (B, heads, d, H, W), k and v (B, heads, G, d) -> the shape of q."""
    bias = (rows.unsqueeze(3) + cols.unsqueeze(2)).flatten(2, 3)
    keys = (k * (1 / math.sqrt(k.shape[-1]))).transpose(2, 3)
    logits = torch.baddbmm(bias.flatten(0, 1), q.flatten(3).transpose(2, 3).flatten(0, 1), keys.flatten(0, 1))
    weights = torch.softmax(logits, dim=-1).to(v.dtype).view_as(bias)
    out = v.transpose(2, 3) @ weights.transpose(2, 3)  # products of long rows are faster
    return out.unflatten(3, q.shape[3:])  # type: ignore[no-any-return]


def by_head(tokens: Tensor, heads: int) -> Tensor:
    """(B, N, C) -> (B, heads, N, d)."""
    return tokens.unflatten(2, (heads, -1)).transpose(1, 2)  # type: ignore[no-any-return]
