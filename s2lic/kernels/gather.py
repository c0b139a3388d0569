"""Rows named by an index, and work cut into parts whose memory is bounded."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

# How many numbers one step gathers or weighs at a time, unless a single cell needs more.
PART = 2**24


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
