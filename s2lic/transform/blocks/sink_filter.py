"""Global attention sinks taken out of an attention (after Kukleva et al. 2025, RefAM)."""

from __future__ import annotations

import torch
from torch import Tensor

from s2lic.transform.attention.rule import Rule, softmax_weights
from s2lic.transform.attention.sinks import calibrated, received

# Ours: those of the paper could not be verified.
SHARE, VARIATION = 5.0, 0.5


def global_sinks(weights: Tensor, seen: Tensor, share: float = SHARE, variation: float = VARIATION) -> Tensor:
    """(..., 1, keys): keys that get more than `share` equal shares, and nearly the same from all queries."""
    mean, equal = received(weights, seen)
    spread = torch.where(seen, (weights - mean).square(), 0).sum(-2, keepdim=True)
    deviation = (spread / seen.sum(-2, keepdim=True).clamp(min=1)).sqrt()
    return (mean > share * equal) & (deviation < variation * mean)


def suppressed(weights: Tensor, sinks: Tensor) -> Tensor:
    """Nothing for sinks; the others of a row keep their proportions and its sum."""
    return calibrated(weights, sinks, beta=0.0)


def redirected(weights: Tensor, sinks: Tensor) -> Tensor:
    """Nothing for sinks; what they had goes to a magnet without a value, so a row's sum is less by that."""
    return torch.where(sinks, 0, weights)


class SinkFilter(Rule):
    """Softmax attention without its global sinks: mode "suppress" or "redirect", to a magnet without a value."""

    def __init__(self, dim: int, heads: int, mode: str = "suppress") -> None:
        super().__init__()
        self.suppress = mode == "suppress"

    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        weights, seen = softmax_weights(q, k, bias)
        sinks = global_sinks(weights, seen)
        kept = suppressed(weights, sinks) if self.suppress else redirected(weights, sinks)
        return kept.to(v.dtype) @ v
