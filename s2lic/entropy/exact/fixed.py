"""Fixed-point arithmetic: integers times a power of two, exact in any float type with 24 bits or more.

All functions map integers to integers, held in float tensors. They are differentiable for training: rounding passes
gradients straight through, and the gradient of a table is the slope between its entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2lic.entropy.exact.limits import LEVELS, MANTISSA_BITS, OCTAVE

# float32 represents every integer up to this one, so sums below it are never rounded, whatever their order.
EXACT = 2**24


@dataclass(frozen=True)
class FixedPoint:
    """The range and unit of the integers of a tensor: n in channel c means n / 2^exponent[c].

    `exponent`, `low` and `high` are float tensors of integers, (C,).
    """

    exponent: Tensor
    low: Tensor
    high: Tensor

    @staticmethod
    def of(exponent: Tensor, low: int, high: int) -> FixedPoint:
        """The same limits for all channels."""
        return FixedPoint(exponent, torch.full_like(exponent, low), torch.full_like(exponent, high))

    @staticmethod
    def cat(grids: list[FixedPoint]) -> FixedPoint:
        """The grid of concatenated channels."""
        return FixedPoint(*(torch.cat([getattr(g, name) for g in grids]) for name in ("exponent", "low", "high")))

    def __getitem__(self, channels: slice) -> FixedPoint:
        return FixedPoint(self.exponent[channels], self.low[channels], self.high[channels])


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(_ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        return grad


def snap(x: Tensor) -> Tensor:
    """Round to the nearest integers, ties to even. Gradients pass straight through."""
    return _Round.apply(x) if x.requires_grad else x.round()  # type: ignore[no-any-return,no-untyped-call]


def requantise(sums: Tensor, scale: Tensor | float, low: int, high: int) -> Tensor:
    """`sums` times a power of two, rounded to even and clamped. May overwrite `sums`."""
    if sums.requires_grad:
        return snap(sums * scale).clamp(low, high)
    return sums.mul_(scale).round_().clamp_(low, high)


def shifted(sums: Tensor, scale: Tensor, offset: Tensor, low: int, high: int) -> Tensor:
    """As `requantise`, with an `offset` that is added before rounding: a bias times the same power of two."""
    if sums.requires_grad or scale.requires_grad or offset.requires_grad:
        return snap(sums * scale + offset).clamp(low, high)
    return sums.mul_(scale).add_(offset).round_().clamp_(low, high)  # faster here than one addcmul_


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, table: Tensor, low: int) -> Tensor:
        index = (x - low).int().flatten()
        ctx.save_for_backward(index, table)
        return table.index_select(0, index).view(x.shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[override]
        index, table = ctx.saved_tensors
        slope = torch.gradient(table)[0].index_select(0, index).view(grad.shape)
        return grad * slope, torch.zeros_like(table).index_add_(0, index, grad.flatten()), None


def lookup(x: Tensor, table: Tensor, low: int) -> Tensor:
    """table[x - low] for integers x of any shape. May overwrite x."""
    if x.requires_grad or table.requires_grad:
        return _Lookup.apply(x, table, low)  # type: ignore[no-any-return,no-untyped-call]
    return table.index_select(0, (x.sub_(low) if low else x).int().flatten()).view(x.shape)


def octave() -> Tensor:
    """round(2^15 * 2^(k / 1024)) for k = 0..1023, float64."""
    steps = np.exp2(np.arange(OCTAVE) / OCTAVE)
    return torch.from_numpy(np.rint(steps * 2**MANTISSA_BITS))


def exp2(exponent: Tensor) -> Tensor:
    """2^(n / 1024) for integers n (float64), defined as a 16-bit integer times a power of two: float64, exact."""
    whole = (exponent / OCTAVE).floor()
    mantissa = octave().to(exponent.device).index_select(0, (exponent - whole * OCTAVE).int().flatten())
    return torch.ldexp(mantissa.view(exponent.shape), whole - MANTISSA_BITS)


def interpolate(table: Tensor, level: Tensor) -> Tensor:
    """Interpolate integers (anchors, ...) at levels (B,) of 0..10000 -> (B, ...) float64 integers.

    The result is the exact weighted mean of two rows, rounded to even: the numerator is below 2^53, and a float64
    quotient that is not exactly half an integer never becomes one by rounding.
    """
    position = level.double() * (len(table) - 1)
    low = (position / LEVELS).floor().clamp(0, len(table) - 2)
    part = (position - low * LEVELS).view(-1, *[1] * (table.dim() - 1))
    rows = table.double()
    return snap((rows[low.long()] * (LEVELS - part) + rows[low.long() + 1] * part) / LEVELS)


def extent(weight: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The largest magnitude of any partial sum of weight (O, N) times integers (N,) within [low, high], (O,)."""
    ends = torch.stack([weight * low, weight * high])
    return torch.maximum(ends.amax(0).clamp(min=0).sum(1), -ends.amin(0).clamp(max=0).sum(1))
