"""From a residual to the integer that is sent: the nearest, or one nearer zero that is worth its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from s2lic.entropy.likelihood import gaussian_likelihood

# (residual, sigma, first channel) -> integers, all (B, P, c).
Rounding = Callable[[Tensor, Tensor, int], Tensor]


def nearest(residual: Tensor, sigma: Tensor, first: int) -> Tensor:
    """The nearest integer, whatever it costs."""
    return torch.round(residual)


@dataclass(frozen=True)
class RDOQ:
    """Of the nearest integer and the one beside it towards zero, that with the lower sum of bits and error.

    `weight`: (M,), the bits that an error of one step is worth in each channel of y. An encoder's choice:
    a decoder takes whatever integers it is sent (Ortega and Ramchandran 1998, section "R-D optimised quantisation").
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
    """What an encoder wants y_hat to be near, (B, M, h, w), and how it rounds. z stays that of g_a's own y."""

    y: Tensor
    rounding: Rounding = nearest

    @property
    def searched(self) -> bool:
        """Whether it is more than g_a's own y rounded."""
        return self.rounding is not nearest


def _bits(symbols: Tensor, sigma: Tensor) -> Tensor:
    return -gaussian_likelihood(symbols, sigma).log2()
