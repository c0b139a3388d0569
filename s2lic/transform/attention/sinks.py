"""Keys that draw more attention than their share, and how their weight is given back."""

from __future__ import annotations

import torch
from torch import Tensor

# Below this a row has nothing but sinks, and nobody to give their weight to.
LEAST = 1e-12


def received(weights: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """What each key gets on average from the queries that see it, and what equal weights would give it.

    weights (..., queries, keys), seen of the same shape -> (..., 1, keys) each; 1/n of n keys that all see each other.
    """
    queries = seen.sum(-2, keepdim=True).clamp(min=1)
    equal = seen.to(weights.dtype) / seen.sum(-1, keepdim=True).clamp(min=1)
    return torch.where(seen, weights, 0).sum(-2, keepdim=True) / queries, equal.sum(-2, keepdim=True) / queries


def calibrated(weights: Tensor, sinks: Tensor, beta: float) -> Tensor:
    """The weights of sinks times beta; what that frees goes to the others of the row in proportion to theirs.

    Rows keep their sums; one that looks at nothing but sinks stays as it is.
    """
    others = torch.where(sinks, 0, weights).sum(-1, keepdim=True)
    freed = (1 - beta) * torch.where(sinks, weights, 0).sum(-1, keepdim=True)
    given = torch.where(sinks, weights * beta, weights * (1 + freed / others.clamp(min=LEAST)))
    return torch.where(others > LEAST, given, weights)
