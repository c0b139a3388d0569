"""Quantisation of residuals: rounding to the nearest integer, and RDOQ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from s2lic.entropy.likelihood import gaussian_likelihood

# (residual, sigma, first channel) -> integers, all (B, P, c).
Rounding = Callable[[Tensor, Tensor, int], Tensor]


def nearest(residual: Tensor, sigma: Tensor, first: int) -> Tensor:
    """Round to the nearest integer."""
    return torch.round(residual)


@dataclass(frozen=True)
class RDOQ:
    """Rate-distortion optimised quantisation (Ortega and Ramchandran 1998).

    It takes the nearest integer or its neighbour towards zero, whichever has the lower sum of bits and weighted error.
    Decoders accept any integers, so this concerns encoders only.

    Attributes:
        weight: Bits per squared error of one step, for each channel of y, (M,).
    """

    weight: Tensor

    def __call__(self, residual: Tensor, sigma: Tensor, first: int) -> Tensor:
        near = torch.round(residual)
        lower = near - near.sign()
        dearer = _bits(near, sigma) - _bits(lower, sigma)
        weight = self.weight[first : first + residual.shape[2]].to(residual)
        error = (residual - lower).square() - (residual - near).square()
        return torch.where(weight * error < dearer, lower, near)


@dataclass(frozen=True)
class QuantTarget:
    """The y that y_hat should be near, (B, M, h, w), and how it is rounded. z is still computed from the y of g_a."""

    y: Tensor
    rounding: Rounding = nearest

    @property
    def searched(self) -> bool:
        """Whether a search chose it."""
        return self.rounding is not nearest


def _bits(symbols: Tensor, sigma: Tensor) -> Tensor:
    return -gaussian_likelihood(symbols, sigma).log2()
