"""Calibration of attention sinks without training (Yu et al. 2024, ACT)."""

from __future__ import annotations

import torch
from torch import Tensor

from s2lic.transform.attention.rule import Rule, softmax_weights
from s2lic.transform.attention.sinks import calibrated, received

ALPHA, BETA = 5.0, 0.4


class Act(Rule):
    """Softmax attention that reduces the weight of sinks to beta of it.

    A sink is a key with more than alpha times an equal share. `chosen` has one number per head, 0 for a head that stays
    unchanged; it is saved with the weights. No key is exempt, because a window has no first token.
    """

    chosen: Tensor

    def __init__(self, dim: int, heads: int, alpha: float = ALPHA, beta: float = BETA) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta
        self.register_buffer("chosen", torch.ones(heads))

    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        return self.weights(*softmax_weights(q, k, bias)).to(v.dtype) @ v

    def weights(self, weights: Tensor, seen: Tensor) -> Tensor:
        """Calibrates weights (..., heads, queries, keys)."""
        mean, equal = received(weights, seen)
        sinks = (mean > self.alpha * equal) & (self.chosen[:, None, None] > 0.5)
        return calibrated(weights, sinks, self.beta)
