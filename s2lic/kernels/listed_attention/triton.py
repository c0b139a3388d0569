"""Attention to listed cells that reads keys through the list, without gathering them into memory.

Gradients of keys in several lists are summed by atomic additions, whose order varies from run to run.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from s2lic.kernels import precision
from s2lic.kernels.precision import dot

QUERIES, KEYS = 64, 32  # of a block, at most
SIDE_MIN = 16  # of a block that tl.dot takes
HIDDEN = tl.constexpr(-1e9)  # finite, so that a query without visible keys gives a number and not NaN


@triton.jit
def rows_at(x, row, exists, d, WIDTH: tl.constexpr):
    """Pointers to rows of d channels, (rows, WIDTH), and a mask of those that exist."""
    channel = tl.arange(0, WIDTH)[None, :]
    return x + row[:, None] * d + channel, exists[:, None] & (channel < d)


@triton.jit
def listed(index, seen, head, first, listing, m, SEEN: tl.constexpr, KEYS: tl.constexpr, N):
    """Rows of k and v in slots first to first + KEYS of a list, and masks of existing and of visible slots."""
    slot = first + tl.arange(0, KEYS)
    exists = slot < listing * m
    cell = tl.load(index + slot // m, mask=exists, other=0)
    shown = exists & (cell >= 0)
    cell = tl.where(cell < 0, tl.load(index), cell)
    if SEEN:
        shown = shown & (tl.load(seen + cell * m + slot % m, mask=exists, other=0) != 0)
    return (head * N + cell) * m + slot % m, exists, shown


@triton.jit
def logits_of(queries, keys, exists, shown, DOT: tl.constexpr, HOW: tl.constexpr, SUM: tl.constexpr):
    """Logits (QUERIES, KEYS): hidden keys get `HIDDEN`, keys beyond the end -inf."""
    logits = tl.where(shown[None, :], dot(queries, tl.trans(keys), DOT, HOW, SUM), HIDDEN)
    return tl.where(exists[None, :], logits, float("-inf"))


@triton.jit
def forward_kernel(
    q, k, v, index, seen, out, log_sum, n, m, d, heads, cells, N, listing, index_b, index_h,
    FACTOR: tl.constexpr, SEEN: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr, WIDTH: tl.constexpr,
    DOT: tl.constexpr, HOW: tl.constexpr, SUM: tl.constexpr,
):  # fmt: skip
    """One program per head and cell of queries; writes `out` and the logarithm of each softmax sum."""
    program = tl.program_id(0).to(tl.int64)
    head, cell = program // cells, program % cells
    index += (head // heads) * index_b + (head % heads) * index_h + cell * listing
    row = tl.program_id(1) * QUERIES + tl.arange(0, QUERIES)
    place, inside = rows_at(q, program * n + row, row < n, d, WIDTH)
    queries = tl.load(place, mask=inside, other=0.0).to(SUM) * tl.full((1, 1), FACTOR, SUM)
    peak, mass = tl.full((QUERIES,), float("-inf"), SUM), tl.zeros((QUERIES,), SUM)
    mean = tl.zeros((QUERIES, WIDTH), SUM)
    for first in range(0, listing * m, KEYS):
        keys_at, exists, shown = listed(index, seen, head, first, listing, m, SEEN, KEYS, N)
        at, wanted = rows_at(k, keys_at, exists, d, WIDTH)
        logits = logits_of(queries, tl.load(at, mask=wanted, other=0.0), exists, shown, DOT, HOW, SUM)
        at, wanted = rows_at(v, keys_at, exists, d, WIDTH)
        higher = tl.maximum(peak, tl.max(logits, axis=1))
        fade, weights = tl.exp(peak - higher), tl.exp(logits - higher[:, None])
        mass = mass * fade + tl.sum(weights, axis=1)
        mean = mean * fade[:, None] + dot(weights, tl.load(at, mask=wanted, other=0.0), DOT, HOW, SUM)
        peak = higher
    place, inside = rows_at(out, program * n + row, row < n, d, WIDTH)
    tl.store(place, mean / mass[:, None], mask=inside)
    tl.store(log_sum + program * n + row, peak + tl.log(mass), mask=row < n)


@triton.jit
def backward_kernel(
    q, k, v, index, seen, log_sum, dout, along, dq, dk, dv, n, m, d, heads, cells, N, listing, index_b, index_h,
    FACTOR: tl.constexpr, SEEN: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr, WIDTH: tl.constexpr,
    DOT: tl.constexpr, HOW: tl.constexpr, SUM: tl.constexpr,
):  # fmt: skip
    """`along` is the sum over channels of out times dout; dk and dv begin at zero."""
    program = tl.program_id(0).to(tl.int64)
    head, cell = program // cells, program % cells
    index += (head // heads) * index_b + (head % heads) * index_h + cell * listing
    row = tl.program_id(1) * QUERIES + tl.arange(0, QUERIES)
    place, inside = rows_at(q, program * n + row, row < n, d, WIDTH)
    queries = tl.load(place, mask=inside, other=0.0).to(SUM) * tl.full((1, 1), FACTOR, SUM)
    place, inside = rows_at(dout, program * n + row, row < n, d, WIDTH)
    slope = tl.load(place, mask=inside, other=0.0)
    level = tl.load(log_sum + program * n + row, mask=row < n, other=float("inf"))[:, None]
    common = tl.load(along + program * n + row, mask=row < n, other=0.0)[:, None]
    total = tl.zeros((QUERIES, WIDTH), SUM)
    for first in range(0, listing * m, KEYS):
        keys_at, exists, shown = listed(index, seen, head, first, listing, m, SEEN, KEYS, N)
        at, wanted = rows_at(k, keys_at, exists, d, WIDTH)
        keys = tl.load(at, mask=wanted, other=0.0)
        at, wanted = rows_at(v, keys_at, exists, d, WIDTH)
        values = tl.load(at, mask=wanted, other=0.0)
        weights = tl.exp(logits_of(queries, keys, exists, shown, DOT, HOW, SUM) - level)
        dlogits = weights * (dot(slope, tl.trans(values), DOT, HOW, SUM) - common)
        dlogits = tl.where(shown[None, :], dlogits, 0.0)
        total += dot(dlogits, keys, DOT, HOW, SUM)
        at, wanted = rows_at(dk, keys_at, exists, d, WIDTH)
        tl.atomic_add(at, dot(tl.trans(dlogits), queries, DOT, HOW, SUM), mask=wanted)
        at, wanted = rows_at(dv, keys_at, exists, d, WIDTH)
        tl.atomic_add(at, dot(tl.trans(weights), slope, DOT, HOW, SUM), mask=wanted)
    place, inside = rows_at(dq, program * n + row, row < n, d, WIDTH)
    tl.store(place, total * tl.full((1, 1), FACTOR, SUM), mask=inside)


def listed_attention(q: Tensor, k: Tensor, v: Tensor, index: Tensor, seen: Tensor | None = None) -> Tensor:
    """See the public function of that name."""
    out: Tensor = ListedAttentionFunction.apply(q, k, v, index.contiguous(), seen)
    return out


class ListedAttentionFunction(torch.autograd.Function):
    """Listed attention; saves inputs, output, and the logarithm of each softmax sum."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, index: Tensor, seen: Tensor | None) -> Tensor:
        inputs = [x.contiguous() for x in (q, k, v)]
        out = torch.empty_like(inputs[0], dtype=v.dtype)
        log_sum = q.new_empty(q.shape[:4], dtype=torch.promote_types(q.dtype, torch.float32))
        # Triton packs factors as densely as the narrowest type they derive from, which fails for float64.
        shown = None if seen is None else seen.to(torch.int32).contiguous()
        if out.numel():
            forward_kernel[grid(q)](
                *inputs, index, index if shown is None else shown, out, log_sum, *sizes(q, k, index),
                **constants(q, shown),
            )  # fmt: skip
        ctx.save_for_backward(*inputs, index, shown, out, log_sum)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, index, shown, out, log_sum = ctx.saved_tensors
        dout, dq = dout.contiguous(), torch.empty_like(q)
        along = (out.to(log_sum.dtype) * dout.to(log_sum.dtype)).sum(-1)
        dk, dv = (x.new_zeros(x.shape, dtype=log_sum.dtype) for x in (k, v))
        if out.numel():
            backward_kernel[grid(q)](
                q, k, v, index, index if shown is None else shown, log_sum, dout, along, dq, dk, dv,
                *sizes(q, k, index), **constants(q, shown),
            )  # fmt: skip
        return dq, dk.to(k.dtype), dv.to(v.dtype), None, None


def grid(q: Tensor) -> tuple[int, int]:
    """One program per cell, head and block of queries."""
    return math.prod(q.shape[:3]), int(triton.cdiv(q.shape[3], queries_of(q)))


def queries_of(q: Tensor) -> int:
    """How many queries one program takes."""
    return min(QUERIES, max(int(triton.next_power_of_2(q.shape[3])), SIDE_MIN))


def sizes(q: Tensor, k: Tensor, index: Tensor) -> tuple[int, ...]:
    """The sizes and strides for a kernel. A list that all heads share has stride 0."""
    _, heads, cells, n, d = q.shape
    return n, k.shape[3], d, heads, cells, k.shape[2], index.shape[3], index.stride(0), heads_step(index)


def heads_step(index: Tensor) -> int:
    """The step in `index` from head to head; 0 if all heads share a list."""
    return 0 if index.shape[1] == 1 else index.stride(1)


def constants(q: Tensor, shown: Tensor | None) -> dict[str, Any]:
    """The compile-time constants of a kernel."""
    d = q.shape[-1]
    width = max(triton.next_power_of_2(d), SIDE_MIN)
    blocks = {"QUERIES": queries_of(q), "KEYS": KEYS, "WIDTH": width}
    return {"FACTOR": 1 / math.sqrt(d), "SEEN": shown is not None, **blocks, **precision.precision(q.dtype)}
