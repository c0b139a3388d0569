"""Quantise and index in plain torch: the oracle of the kernel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from s2lic.errors import ArithmeticFaultError, UsageError

# Stands for no number and for what is beyond int64: rounding is exact up to it, 16 bits end far below.
BEYOND = 2.0**40
SYMBOL_MIN, SYMBOL_MAX = -(2**15), 2**15 - 1


def quantise_index(
    y: Tensor, mu: Tensor, sigma: Tensor, thresholds: Tensor, margin: float
) -> tuple[Tensor, Tensor, Tensor]:
    """As the public function of that name."""
    rows, near = index_scales(sigma, thresholds, margin)
    symbols = torch.round(y - mu).nan_to_num(nan=BEYOND).clamp(-BEYOND, BEYOND)
    check_symbols(bool(((symbols < SYMBOL_MIN) | (symbols > SYMBOL_MAX)).any()))
    return symbols.transpose(1, 2).to(torch.int16).contiguous(), rows, near


def index_scales(sigma: Tensor, thresholds: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """As the public function of that name."""
    check_dtype(sigma)
    check_scales(not ((sigma > 0) & (sigma < math.inf)).all())
    sigma = sigma.transpose(1, 2).contiguous()
    rows = torch.searchsorted(thresholds, sigma)
    edge = thresholds.new_tensor([math.inf])
    edges = torch.cat([-edge, thresholds, edge])
    near = torch.minimum(sigma - edges[rows], edges[rows + 1] - sigma) <= margin * sigma
    return rows.int(), near.flatten().nonzero().squeeze(1)


def check_dtype(sigma: Tensor) -> None:
    if sigma.dtype != torch.float64:
        raise UsageError(f"scales choose their rows in float64, not {sigma.dtype}")


def check_scales(unsound: bool) -> None:
    if unsound:
        raise ArithmeticFaultError("the network gave a scale that is not finite and positive")


def check_symbols(beyond: bool) -> None:
    if beyond:
        raise ArithmeticFaultError("a symbol does not fit 16 bits: the network gave far too much")
