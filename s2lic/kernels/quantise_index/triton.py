"""Quantise and index in one pass: rounding, row search and tests, read by strides, written in coding order."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from s2lic.kernels.quantise_index.naive import (
    BEYOND,
    SYMBOL_MAX,
    SYMBOL_MIN,
    check_dtype,
    check_scales,
    check_symbols,
)

BLOCK = 256
BOUND, LOW, HIGH = tl.constexpr(BEYOND), tl.constexpr(SYMBOL_MIN), tl.constexpr(SYMBOL_MAX)
# Adding and taking away 1.5 * 2^52 rounds float64 below 2^51 to whole numbers, ties to even.
SHIFTER = tl.constexpr(1.5 * 2.0**52)


@triton.jit
def offsets(at, places, channels, stride_b, stride_p, stride_c):
    """Where elements numbered in coding order (B, C, P) stand in a tensor (B, P, C) of any strides."""
    picture, channel = at // (channels * places), (at // places) % channels
    return picture * stride_b + (at % places) * stride_p + channel * stride_c


@triton.jit
def rows_kernel(
    sigma, thresholds, rows, near, unsound,
    count, places, channels, stride_b, stride_p, stride_c, threshold_count,
    MARGIN: tl.constexpr, NEAR: tl.constexpr, BITS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Bisects for the row of each scale; `MARGIN` is no argument at run time, for those are float32.

    `near` is written where `NEAR` says that it is wanted.
    """
    block = tl.program_id(0).to(tl.int64)
    at = block * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    scale = tl.load(sigma + offsets(at, places, channels, stride_b, stride_p, stride_c), mask=inside, other=1.0)
    sound = (scale > 0) & (scale < float("inf"))
    tl.store(unsound + block, tl.max((~sound).to(tl.int32), axis=0))
    scale = tl.where(sound, scale, 1.0)
    row = tl.full((BLOCK,), 0, tl.int32)
    for bit in tl.static_range(BITS):
        tried = row + (1 << (BITS - 1 - bit))
        edge = tl.load(thresholds + tried - 1, mask=tried <= threshold_count, other=float("inf"))
        row = tl.where(edge < scale, tried, row)
    tl.store(rows + at, row, mask=inside)
    if NEAR:
        below = tl.load(thresholds + row - 1, mask=row > 0, other=float("-inf"))
        above = tl.load(thresholds + row, mask=row < threshold_count, other=float("inf"))
        reach = tl.full((BLOCK,), MARGIN, tl.float64) * scale
        tl.store(near + at, ((scale - below <= reach) | (above - scale <= reach)).to(tl.int8), mask=inside)


@triton.jit
def symbols_kernel(
    residual, symbols, beyond, count, places, channels, stride_b, stride_p, stride_c, BLOCK: tl.constexpr
):  # fmt: skip
    """Round `residual` to int16 `symbols`; an entry of `beyond` becomes 1 if a symbol of its block does not fit."""
    block = tl.program_id(0).to(tl.int64)
    at = block * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    value = tl.load(residual + offsets(at, places, channels, stride_b, stride_p, stride_c), mask=inside, other=0.0)
    symbol = tl.where(tl.abs(value) <= BOUND, value, BOUND) + SHIFTER - SHIFTER
    tl.store(symbols + at, symbol.to(tl.int64).to(tl.int16), mask=inside)
    tl.store(beyond + block, tl.max(((symbol < LOW) | (symbol > HIGH)).to(tl.int32), axis=0))


def quantise_index(residual: Tensor, sigma: Tensor, thresholds: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    """As the public function of that name."""
    B, P, C = sigma.shape
    near = sigma.new_empty((B, C, P), dtype=torch.int8)
    rows = rows_of(sigma, thresholds, margin, near)
    residual = residual.expand(B, P, C)
    blocks = triton.cdiv(sigma.numel(), BLOCK)
    symbols = sigma.new_empty((B, C, P), dtype=torch.int16)
    beyond = sigma.new_empty(blocks, dtype=torch.int32)
    if blocks:
        symbols_kernel[(blocks,)](residual, symbols, beyond, sigma.numel(), P, C, *residual.stride(), BLOCK=BLOCK)
    check_symbols(bool(beyond.any()))
    return symbols, rows, near.flatten().nonzero().squeeze(1)


def index_scales(sigma: Tensor, thresholds: Tensor) -> Tensor:
    """As the public function of that name."""
    return rows_of(sigma, thresholds, 0.0, None)


def rows_of(sigma: Tensor, thresholds: Tensor, margin: float, near: Tensor | None) -> Tensor:
    """The rows, and in `near`, if there is one, whether a scale is within the margin of a threshold."""
    check_dtype(sigma)
    B, P, C = sigma.shape
    blocks, bits = triton.cdiv(sigma.numel(), BLOCK), thresholds.numel().bit_length()
    rows = sigma.new_empty((B, C, P), dtype=torch.int32)
    unsound = sigma.new_empty(blocks, dtype=torch.int32)
    if blocks:
        rows_kernel[(blocks,)](
            sigma, thresholds, rows, rows if near is None else near, unsound, sigma.numel(), P, C, *sigma.stride(),
            thresholds.numel(), MARGIN=margin, NEAR=near is not None, BITS=bits, BLOCK=BLOCK,
        )  # fmt: skip
    check_scales(bool(unsound.any()))
    return rows
