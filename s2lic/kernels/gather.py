"""Gathers rows by index, and splits work into parts of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

# The most numbers that one part holds, unless a single item needs more.
PART = 2**24


def parts(count: int, each: int) -> Iterator[slice]:
    """Slices of `count` items of `each` numbers, with at most `PART` numbers each."""
    step = max(1, PART // max(1, each))
    for first in range(0, count, step):
        yield slice(first, first + step)


def gathered(x: Tensor, index: Tensor) -> Tensor:
    """The rows of x (B, h, N, ...) at index (B, h, cells, K): (B, h, cells, K, ...)."""
    first = torch.arange(x.shape[0] * x.shape[1], device=x.device).view(*x.shape[:2], 1, 1) * x.shape[2]
    rows = x.flatten(0, 2).index_select(0, (first + index).flatten())
    return rows.view(*index.shape, *x.shape[3:])
