"""Attention sinks: keys with more than their share of attention, and how to redistribute it."""

from __future__ import annotations

import torch
from torch import Tensor

# A row whose other weights sum to less consists of sinks only and stays unchanged.
LEAST = 1e-12


def received(weights: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """The mean weight of each key over the queries that see it, and the mean that equal weights would give.

    Args:
        weights: (..., queries, keys).
        seen: Which keys each query sees, of the same shape.

    Returns:
        Both means, (..., 1, keys).
    """
    queries = seen.sum(-2, keepdim=True).clamp(min=1)
    equal = seen.to(weights.dtype) / seen.sum(-1, keepdim=True).clamp(min=1)
    return torch.where(seen, weights, 0).sum(-2, keepdim=True) / queries, equal.sum(-2, keepdim=True) / queries


def calibrated(weights: Tensor, sinks: Tensor, beta: float) -> Tensor:
    """Multiplies the weights of sinks by beta and gives the rest to the other keys in proportion to their weights.

    Rows keep their sums. A row with weights on sinks only stays unchanged.
    """
    others = torch.where(sinks, 0, weights).sum(-1, keepdim=True)
    freed = (1 - beta) * torch.where(sinks, weights, 0).sum(-1, keepdim=True)
    given = torch.where(sinks, weights * beta, weights * (1 + freed / others.clamp(min=LEAST)))
    return torch.where(others > LEAST, given, weights)
