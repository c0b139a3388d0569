"""Quantisation of float layers to integer layers, given the ranges of their values.

Gradients pass through every rounding, so that training can derive the integers at each step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.entropy.exact.fixed import EXACT, FixedPoint, extent, snap
from s2lic.entropy.exact.limits import BRANCH, PRE, SLOPE_ONE
from s2lic.entropy.exact.ranges import Range
from s2lic.entropy.quality import Modulation
from s2lic.errors import WeightsError

# Weights have this many bits, including the sign, or fewer if sums would not stay exact.
WEIGHT_BITS = 10
# Sums of a layer have at most this many bits more precision than its output.
FINER = 20
# Smaller ranges are replaced by this one.
LEAST = 2.0**-10
# The limit of GELU outputs: 10 bits above zero, because there is almost nothing below zero.
GELU_MAX = 1023
# Beyond these inputs a function is at its limit.
GELU_END, TANH_END, SIGMOID_END = 4.0, 4.0, 8.0

Found = dict[str, Tensor]


def exponent(limit: float, magnitude: Tensor) -> Tensor:
    """The largest n for which magnitude * 2^n stays within the limit."""
    return (limit / magnitude.double().clamp(min=LEAST)).log2().floor()


def prefixed(name: str, found: Found) -> Found:
    """The same tensors with the prefix `name.`."""
    return {f"{name}.{key}": value for key, value in found.items()}


@dataclass(frozen=True)
class LayerWeights:
    """The weights of a layer as (O, N), and the grids of its N inputs.

    `parts` are masks over N of inputs that are in one sum. Only a transposed convolution needs more than one.
    """

    weight: Tensor
    bias: Tensor
    x: FixedPoint
    parts: tuple[Tensor, ...] = ()

    def quantised(self, out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights (O, N), biases and shifts (O,) for outputs with these exponents."""
        effective = self.weight.double() * torch.exp2(-self.x.exponent)
        top = effective.detach().abs().amax(1)
        largest = (2 ** (WEIGHT_BITS - 1) - 1) / top.clamp(min=2.0**-60)
        bits = torch.minimum(largest, torch.exp2(out + FINER)).log2().floor()
        while True:
            weight, bias = snap(effective * torch.exp2(bits)[:, None]), snap(self.bias.double() * torch.exp2(bits))
            beyond = self._extent(weight.detach()) + bias.detach().abs() >= EXACT
            if not beyond.any():
                return weight, bias, out - bits
            bits = bits - beyond.double()

    def _extent(self, weight: Tensor) -> Tensor:
        masks = self.parts or (torch.ones_like(self.x.low),)
        return torch.stack([extent(weight * mask, self.x.low, self.x.high) for mask in masks]).amax(0)


def affine(module: nn.Module, x: FixedPoint, out: Tensor, weight: Tensor | None = None) -> Found:
    """A convolution or matrix over inputs on grid x, for outputs with exponents `out`."""
    weight = module.weight if weight is None else weight  # type: ignore[assignment]
    bias = getattr(module, "bias", None)
    shape = weight.shape  # type: ignore[union-attr]
    if isinstance(module, nn.ConvTranspose2d):
        return _transposed(module, x, out)
    taps = math.prod(shape[2:])
    per_input = FixedPoint(*(g.repeat_interleave(taps) for g in (x.exponent, x.low, x.high)))
    if shape[1] == 1 and x.exponent.numel() == shape[0] > 1:  # one kernel a channel
        per_input = FixedPoint(*(g[:, None] for g in (x.exponent, x.low, x.high)))
    zero = weight.new_zeros(shape[0])  # type: ignore[union-attr]
    kernel = LayerWeights(weight.flatten(1), zero if bias is None else bias, per_input)  # type: ignore[union-attr]
    integers, offset, shift = kernel.quantised(out.expand(shape[0]))
    return {"weight": integers.view(shape), "bias": offset, "shift": shift}


def _transposed(module: nn.ConvTranspose2d, x: FixedPoint, out: Tensor) -> Found:
    """A transposed convolution. Each output sums the taps of one parity of rows and columns."""
    weight = module.weight.transpose(0, 1)  # (O, C, 4, 4)
    taps = weight.shape[2] * weight.shape[3]
    per_input = FixedPoint(*(g.repeat_interleave(taps) for g in (x.exponent, x.low, x.high)))
    odd = torch.arange(weight.shape[2]) % 2
    parity = (2 * odd[:, None] + odd).flatten().repeat(weight.shape[1])
    assert module.bias is not None
    kernel = LayerWeights(weight.flatten(1), module.bias, per_input, tuple((parity == p).double() for p in range(4)))
    integers, offset, shift = kernel.quantised(out.expand(len(weight)))
    return {"weight": integers.view(weight.shape).transpose(0, 1).contiguous(), "bias": offset, "shift": shift}


def scalar(limit: float, magnitude: Tensor) -> Tensor:
    """One exponent for all channels, (1,)."""
    return exponent(limit, magnitude.amax().reshape(1))


def inputs(exponents: Tensor) -> Tensor:
    """The inputs of the entries of a table."""
    return torch.arange(PRE[0], PRE[1] + 1, dtype=torch.float64) * torch.exp2(-exponents)


def pre_exponent(seen: Range, end: float, both: bool = False) -> Tensor:
    """The exponent of a table's input. Below `-end` (and with `both`, above `end`) its function is at its limit."""
    high = seen.high.amax().clamp(max=end) if both else seen.high.amax()
    return scalar(PRE[1], torch.maximum(high, (-seen.low.amin()).clamp(max=end)))


def gelu_table(pre: Tensor, out: Tensor) -> Tensor:
    """GELU over its input grid of exponent `pre`, in steps of exponent `out`."""
    return snap(F.gelu(inputs(pre)) * torch.exp2(out)).clamp(BRANCH[0], BRANCH[1])


def table_grid(table: Tensor, out: Tensor, channels: int) -> FixedPoint:
    """The grid of the output of a table."""
    return FixedPoint.of(out.expand(channels), int(table.amin()), int(table.amax()))


def gelu(module: nn.Module, x: FixedPoint, seen: Range, out: Tensor | None = None) -> tuple[Found, FixedPoint]:
    """A layer followed by GELU; `out` is the exponent of the output, if it is given."""
    pre = pre_exponent(seen, GELU_END)
    out = scalar(GELU_MAX, F.gelu(seen.high.amax().double())) if out is None else out
    table = gelu_table(pre, out)
    return {**affine(module, x, pre), "table": table}, table_grid(table, out, len(seen.high))


def modulated(
    module: Modulation, layer: nn.Module, x: FixedPoint, before: Range, after: Range
) -> tuple[Found, Found, FixedPoint]:
    """A layer, its modulation by the quality and GELU: the tensors of both, and the grid of the output."""
    pre = torch.minimum(scalar(PRE[1], before.magnitude), pre_exponent(after, GELU_END))
    slope, offset = module.table.double().unbind(1)
    out = scalar(GELU_MAX, F.gelu(after.high.amax().double()))
    table = gelu_table(pre, out)
    found = {
        "slope": snap((1 + slope) * SLOPE_ONE),
        "offset": snap(offset * torch.exp2(pre) * SLOPE_ONE),
        "table": table,
    }
    worst = found["slope"].detach().abs().amax() * -PRE[0] + found["offset"].detach().abs().amax()
    if worst >= EXACT:
        raise WeightsError(
            f"a modulation by the quality has sums of {worst:.0f}, which must be below 2^24: train the model longer"
        )
    return affine(layer, x, pre), found, table_grid(table, out, len(after.high))


class Rows(nn.Module):
    """A matrix and a bias that are taken from other layers."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias  # type: ignore[assignment]
