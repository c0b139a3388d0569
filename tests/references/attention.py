"""Slow multi-head attention and position bias, written as sums over pairs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from s2lic.entropy.acgc import AxisBias, DeformableAttention


def multi_head(q: Tensor, k: Tensor, v: Tensor, heads: int, bias: Tensor | float = 0.0) -> Tensor:
    """softmax(q k / sqrt(d) + bias) v: q (N, C), k and v (G, C), bias (heads, N, G) -> (N, C)."""
    width = q.shape[1] // heads
    q, k, v = (t.reshape(len(t), heads, width) for t in (q, k, v))
    logits = torch.einsum("nhd,ghd->hng", q, k) / math.sqrt(width) + bias
    power = torch.exp(logits - logits.amax(-1, keepdim=True))
    weight = power / power.sum(-1, keepdim=True)
    return torch.einsum("hng,ghd->nhd", weight, v).reshape(len(q), heads * width)


def axis_bias(net: AxisBias, distance: Tensor) -> Tensor:
    """(heads,) of one distance: fc2 GELU(fc1(sign(d) log(1 + |d|)))."""
    spaced = distance.sign() * torch.log(1 + distance.abs())
    hidden = net.fc1.weight[:, 0] * spaced + net.fc1.bias
    return net.fc2.weight @ (hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2))))


def position_bias(net: DeformableAttention, height: int, width: int, points: Tensor) -> Tensor:
    """(heads, H W, G): the row part plus the column part of every latent and key, one by one."""
    lines = [
        torch.stack([axis_bias(net.row_bias, y - row) + axis_bias(net.col_bias, x - col) for y, x in points])
        for row in range(height)
        for col in range(width)
    ]
    return torch.stack(lines).permute(2, 0, 1)


def bilinear(x: Tensor, points: Tensor) -> Tensor:
    """(C, H, W) at (G, 2) rows and columns -> (G, C); outside, the nearest edge."""
    height, width = x.shape[1:]
    samples = []
    for row, col in points.tolist():
        r, c = min(max(row, 0), height - 1), min(max(col, 0), width - 1)
        top, left = min(math.floor(r), max(height - 2, 0)), min(math.floor(c), max(width - 2, 0))
        below, right = min(top + 1, height - 1), min(left + 1, width - 1)
        dy, dx = r - top, c - left
        upper = x[:, top, left] * (1 - dx) + x[:, top, right] * dx
        lower = x[:, below, left] * (1 - dx) + x[:, below, right] * dx
        samples.append(upper * (1 - dy) + lower * dy)
    return torch.stack(samples)
