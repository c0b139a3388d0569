"""Likelihoods of integers under a Gaussian, and rounding with straight-through gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SIGMA_MIN = 0.11
LIKELIHOOD_MIN = 1e-9


class _LowerBound(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(x >= bound)
        return x.clamp(min=bound)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (above,) = ctx.saved_tensors
        return grad * (above | (grad < 0)), None


def lower_bound(x: Tensor, bound: float) -> Tensor:
    """max(x, bound). Below the bound, gradients pass only if descent would raise x."""
    return _LowerBound.apply(x, bound)  # type: ignore[no-any-return,no-untyped-call]


def gaussian_likelihood(residual: Tensor, sigma: Tensor) -> Tensor:
    """Mass of N(0, sigma) on [residual - 1/2, residual + 1/2] (Balle et al. 2018, equation 9)."""
    distance = residual.abs()
    inverse = math.sqrt(0.5) / sigma
    mass = torch.erfc((distance - 0.5) * inverse) - torch.erfc((distance + 0.5) * inverse)
    return lower_bound(0.5 * mass, LIKELIHOOD_MIN)


def round_through(x: Tensor) -> Tensor:
    """round(x) with the gradient of x."""
    return x + (torch.round(x) - x).detach()


def noisy(x: Tensor, uniform_like: Callable[[Tensor], Tensor] = torch.rand_like) -> Tensor:
    """x plus uniform noise of width 1, which replaces rounding in training (Balle et al. 2017)."""
    return x + uniform_like(x) - 0.5


def bits(likelihood: Tensor) -> Tensor:
    """-log2, summed over all dimensions except the batch: (B, ...) -> (B,)."""
    return -likelihood.flatten(1).log2().sum(1)
