"""Attention to listed cells in plain torch: the oracle of the kernel. It gathers keys and values, part by part."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

# How many numbers one step gathers or weighs at a time, unless a single cell needs more.
PART = 2**24
# Finite, so that a query that sees no key gives a number, which is cut off.
HIDDEN = -1e9


def parts(count: int, each: int) -> Iterator[slice]:
    """`count` things of `each` numbers in runs that stay below `PART` numbers."""
    step = max(1, PART // max(1, each))
    for first in range(0, count, step):
        yield slice(first, first + step)


def gathered(x: Tensor, index: Tensor) -> Tensor:
    """The rows of x (B, h, N, ...) that index (B, h, cells, K) names: (B, h, cells, K, ...)."""
    first = torch.arange(x.shape[0] * x.shape[1], device=x.device).view(*x.shape[:2], 1, 1) * x.shape[2]
    rows = x.flatten(0, 2).index_select(0, (first + index).flatten())
    return rows.view(*index.shape, *x.shape[3:])


def listed_attention(q: Tensor, k: Tensor, v: Tensor, index: Tensor, seen: Tensor | None = None) -> Tensor:
    """As the public function of that name."""
    index = index.expand(-1, q.shape[1], -1, -1)
    k, v = k.contiguous(), v.contiguous()
    each = q.shape[0] * q.shape[1] * index.shape[-1] * k.shape[3] * (2 * q.shape[4] + q.shape[3])
    done = [_attend(q[:, :, part], k, v, index[:, :, part], seen) for part in parts(q.shape[2], each)]
    return torch.cat(done, dim=2)


def _attend(q: Tensor, k: Tensor, v: Tensor, index: Tensor, seen: Tensor | None) -> Tensor:
    there = index >= 0
    index = torch.where(there, index, index[..., :1])
    shown = there.unsqueeze(-1) if seen is None else there.unsqueeze(-1) & seen[index]
    shown = shown.expand(*index.shape, k.shape[3]).flatten(3).unsqueeze(3)
    logits = (q * (1 / math.sqrt(q.shape[-1]))) @ gathered(k, index).flatten(3, 4).transpose(-2, -1)
    weights = torch.softmax(logits.masked_fill(~shown, HIDDEN), dim=-1)
    return weights.to(v.dtype) @ gathered(v, index).flatten(3, 4)
