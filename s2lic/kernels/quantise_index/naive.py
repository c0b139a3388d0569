"""Quantise and index in plain torch: the oracle of the kernel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from s2lic.errors import ArithmeticFaultError, UsageError

# The bits below sign, exponent and six of the fraction: cells 1 to 2 % wide, finer than the usual rows.
SHIFT = 46


def count_below(values: Tensor, thresholds: Tensor) -> Tensor:
    """What `searchsorted(thresholds, values)` gives, of positive finite values and ascending positive thresholds.

    A table tells how many thresholds lie in the cells before a value's; as many comparisons follow as the fullest
    cell has thresholds, one for rows of the usual distance. A bisection takes three times as long.
    """
    if not thresholds.numel():
        return torch.zeros(values.shape, dtype=torch.int64, device=values.device)
    cells = _cells(thresholds)
    first, beyond = int(cells[0]) - 1, int(cells[-1]) + 1
    before = torch.searchsorted(cells, torch.arange(first, beyond + 1, device=cells.device))
    edges = torch.cat([thresholds, thresholds.new_tensor([math.inf])])
    count = before.index_select(0, _cells(values).clamp_(first, beyond).sub_(first).flatten())
    for _ in range(int(cells.unique_consecutive(return_counts=True)[1].max())):
        count += values.flatten() > edges.index_select(0, count)
    return count.view(values.shape)


def _cells(values: Tensor) -> Tensor:
    """Ascending with the values, for positive floats sort as their bits do."""
    return values.contiguous().view(torch.int64) >> SHIFT


# Stands for no number and for what is beyond int64: rounding is exact up to it, 16 bits end far below.
BEYOND = 2.0**40
SYMBOL_MIN, SYMBOL_MAX = -(2**15), 2**15 - 1


def quantise_index(residual: Tensor, sigma: Tensor, thresholds: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    """As the public function of that name."""
    sigma = sound(sigma)
    rows = count_below(sigma, thresholds)
    edge = thresholds.new_tensor([math.inf])
    edges = torch.cat([-edge, thresholds, edge])
    near = torch.minimum(sigma - edges[rows], edges[rows + 1] - sigma) <= margin * sigma
    symbols = torch.round(residual).nan_to_num(nan=BEYOND).clamp(-BEYOND, BEYOND)
    check_symbols(bool(((symbols < SYMBOL_MIN) | (symbols > SYMBOL_MAX)).any()))
    whole = symbols.transpose(1, 2).to(torch.int16).contiguous()
    return whole, rows.int(), near.flatten().nonzero().squeeze(1)


def index_scales(sigma: Tensor, thresholds: Tensor) -> Tensor:
    """As the public function of that name."""
    return count_below(sound(sigma), thresholds).int()


def sound(sigma: Tensor) -> Tensor:
    """The scales in coding order, (B, C, P), once they have been checked."""
    check_dtype(sigma)
    sigma = sigma.transpose(1, 2).contiguous()
    if sigma.numel():
        least, most = sigma.aminmax()  # NaN if any scale is
        check_scales(not (least > 0 and most < math.inf))
    return sigma


def check_dtype(sigma: Tensor) -> None:
    """Raises UsageError unless the scales are float64."""
    if sigma.dtype != torch.float64:
        raise UsageError(f"scales choose their rows in float64, not {sigma.dtype}")


def check_scales(unsound: bool) -> None:
    """Raises ArithmeticFaultError if a scale is unsound."""
    if unsound:
        raise ArithmeticFaultError("the network gave a scale that is not finite and positive")


def check_symbols(beyond: bool) -> None:
    """Raises ArithmeticFaultError if a symbol is beyond 16 bits."""
    if beyond:
        raise ArithmeticFaultError("a symbol does not fit 16 bits: the network gave far too much")
