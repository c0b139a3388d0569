"""From a residual to the integer that is sent: the nearest, or one nearer zero that is worth its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from s2lic.entropy.likelihood import gaussian_likelihood
from s2lic.entropy.model import EntropyModel

# (residual, sigma, first channel) -> integers, all (B, P, c).
Rounding = Callable[[Tensor, Tensor, int], Tensor]


def nearest(residual: Tensor, sigma: Tensor, first: int) -> Tensor:
    """The nearest integer, whatever it costs."""
    return torch.round(residual)


@dataclass(frozen=True)
class Deadzone:
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
class Aim:
    """What an encoder wants y_hat to be near, (B, M, h, w), and how it rounds. z stays that of g_a's own y."""

    y: Tensor
    rounding: Rounding = nearest

    @property
    def searched(self) -> bool:
        """Whether it is more than g_a's own y rounded."""
        return self.rounding is not nearest


def _bits(symbols: Tensor, sigma: Tensor) -> Tensor:
    return -gaussian_likelihood(symbols, sigma).log2()


@dataclass(frozen=True)
class Rehearsal:
    """y_hat as g_s takes it, what stands for y before LRP in the gained domain, and the bits of y; (1, M, h, w)."""

    y_hat: Tensor
    sent: Tensor
    bits: float


@torch.no_grad()
def rehearse(model: EntropyModel, y: Tensor, levels: Tensor, aim: Aim, fineness: Tensor | None = None) -> Rehearsal:
    """One walk over y (1, M, h, w) with an aim, as `encode_and_decode` would code it, in the precision of `model`.

    fineness: (1, h, w) as there.
    """
    quality = model.quality(levels)
    flat = (aim.y * model.gains(quality)[0]).flatten(2).transpose(1, 2)
    finer = y.new_ones(1, flat.shape[1], 1) if fineness is None else fineness.to(y).flatten(1)[:, :, None]
    sent, bits = torch.empty_like(flat), 0.0

    def quantise(mu: Tensor, sigma: Tensor, first: int, at: Tensor) -> Tensor:
        nonlocal bits
        part, steps = slice(first, first + mu.shape[2]), sigma * finer[:, at]
        q = aim.rounding((flat[:, at, part] - mu) * finer[:, at], steps, first)
        bits -= float(gaussian_likelihood(q, steps).log2().sum())
        sent[:, at, part] = value = q / finer[:, at] + mu
        return value

    resting = model.resting(quality)
    z_hat = torch.round(model.hyper_analysis(y, quality) - resting) + resting
    y_hat = model.reconstruct(z_hat, quality, (y.shape[2], y.shape[3]), quantise)
    return Rehearsal(y_hat, sent.transpose(1, 2).reshape(y.shape), bits)
