"""Attention without global sinks (after Kukleva et al. 2025, RefAM)."""

from __future__ import annotations

import torch
from torch import Tensor

from s2lic.transform.attention.rule import Rule, softmax_weights
from s2lic.transform.attention.sinks import calibrated, received

# Our own values: those of the paper could not be verified.
SHARE, VARIATION = 5.0, 0.5


def global_sinks(weights: Tensor, seen: Tensor, share: float = SHARE, variation: float = VARIATION) -> Tensor:
    """A mask (..., 1, keys) of keys with more than `share` equal shares, nearly the same from all queries."""
    mean, equal = received(weights, seen)
    spread = torch.where(seen, (weights - mean).square(), 0).sum(-2, keepdim=True)
    deviation = (spread / seen.sum(-2, keepdim=True).clamp(min=1)).sqrt()
    return (mean > share * equal) & (deviation < variation * mean)


def suppressed(weights: Tensor, sinks: Tensor) -> Tensor:
    """Sets the weights of sinks to 0. The others keep their proportions, and the row its sum."""
    return calibrated(weights, sinks, beta=0.0)


def redirected(weights: Tensor, sinks: Tensor) -> Tensor:
    """Sets the weights of sinks to 0 and lets the sum of the row shrink, as if a key without value took them."""
    return torch.where(sinks, 0, weights)


class SinkFilter(Rule):
    """Softmax attention without global sinks: mode "suppress" (see `suppressed`) or "redirect" (see `redirected`)."""

    def __init__(self, dim: int, heads: int, mode: str = "suppress") -> None:
        super().__init__()
        self.suppress = mode == "suppress"

    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        weights, seen = softmax_weights(q, k, bias)
        sinks = global_sinks(weights, seen)
        kept = suppressed(weights, sinks) if self.suppress else redirected(weights, sinks)
        return kept.to(v.dtype) @ v
