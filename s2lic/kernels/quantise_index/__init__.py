"""Symbols and CDF rows of one checkerboard half, in coding order, with the positions to be listed as exceptions."""

from __future__ import annotations

from torch import Tensor

from s2lic.kernels.dispatch import runs_on_triton
from s2lic.kernels.quantise_index import naive


def quantise_index(residual: Tensor, sigma: Tensor, thresholds: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    """(symbols, rows, near) of y less its mean, and of sigma, (B, P, C) float64 each, P places of a half.

    symbols: (B, C, P) int16, the residual rounded, ties to even. rows: see `index_scales`. near: int64, flat positions
    in (B, C, P), ascending, of each sigma within `margin` (relative) of a threshold. Raises as that does, and
    ArithmeticFaultError for a symbol beyond 16 bits.
    """
    if runs_on_triton("quantise_index", sigma):
        from s2lic.kernels.quantise_index import triton

        return triton.quantise_index(residual, sigma, thresholds, margin)
    return naive.quantise_index(residual, sigma, thresholds, margin)


def index_scales(sigma: Tensor, thresholds: Tensor) -> Tensor:
    """What a decoder can know of a half before its symbols: the rows of sigma (B, P, C) float64.

    (B, C, P) int32, how many of the ascending thresholds lie below each sigma. Raises UsageError unless sigma is
    float64, ArithmeticFaultError unless it is finite and positive.
    """
    if runs_on_triton("quantise_index", sigma):
        from s2lic.kernels.quantise_index import triton

        return triton.index_scales(sigma, thresholds)
    return naive.index_scales(sigma, thresholds)
