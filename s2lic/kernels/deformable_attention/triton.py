"""Deformable attention that samples keys and values inside the kernel and never materialises the bias.

`to_kv` is affine and the weights of a sample sum to one, so the map is projected first and then sampled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from s2lic.kernels import precision
from s2lic.kernels.deformable_attention.naive import sample_points
from s2lic.kernels.precision import dot

QUERIES, KEYS = 64, 32  # of a block
SIDE_MIN = 16  # of a block that tl.dot takes


@triton.jit
def neighbours(place, size, SUM: tl.constexpr):
    """The grid lines before and after a coordinate, and its fraction between them."""
    last = (size - 1 + tl.zeros_like(place)).to(SUM)
    place = tl.minimum(tl.maximum(place, 0.0), last)
    before = tl.floor(place)
    return before.to(tl.int64), tl.minimum(before + 1.0, last).to(tl.int64), (place - before)[:, None]


@triton.jit
def sampled(kv, points, picture, at, first, count, height, width, d, total, WIDTH: tl.constexpr, SUM: tl.constexpr):
    """Samples the map kv (B, H, W, total) at the points `at`, from channel `first` on: (KEYS, WIDTH)."""
    inside = at < count
    place = points + (picture * count + at) * 2
    top, bottom, down = neighbours(tl.load(place, mask=inside, other=0.0).to(SUM), height, SUM)
    left, right, across = neighbours(tl.load(place + 1, mask=inside, other=0.0).to(SUM), width, SUM)
    channel = tl.arange(0, WIDTH)[None, :]
    wanted = inside[:, None] & (channel < d)
    cells = kv + picture * height * width * total + first + channel
    a = tl.load(cells + ((top * width + left) * total)[:, None], mask=wanted, other=0.0).to(SUM)
    b = tl.load(cells + ((top * width + right) * total)[:, None], mask=wanted, other=0.0).to(SUM)
    upper = a * (1.0 - across) + b * across
    a = tl.load(cells + ((bottom * width + left) * total)[:, None], mask=wanted, other=0.0).to(SUM)
    b = tl.load(cells + ((bottom * width + right) * total)[:, None], mask=wanted, other=0.0).to(SUM)
    return upper * (1.0 - down) + (a * (1.0 - across) + b * across) * down


@triton.jit
def queries_at(x, picture, first, n, places, channels, d, WIDTH: tl.constexpr):
    """Pointers to positions n of the channels of a head in a map (B, channels, places), and a mask."""
    channel = tl.arange(0, WIDTH)[None, :]
    at = x + (picture * channels + first + channel) * places + n[:, None]
    return at, (n < places)[:, None] & (channel < d)


@triton.jit
def logits_of(queries, keys, rows, cols, head, n, at, count, height, width, DOT: tl.constexpr, HOW: tl.constexpr, SUM: tl.constexpr):  # fmt: skip  # noqa: E501
    """q k + rows + cols (QUERIES, KEYS), -inf for missing keys. `head` counts the heads of all pictures."""
    inside = (n < height * width)[:, None] & (at < count)[None, :]
    row, col = (head * height + n // width)[:, None], (head * width + n % width)[:, None]
    bias = tl.load(rows + row * count + at[None, :], mask=inside, other=0.0).to(SUM)
    bias += tl.load(cols + col * count + at[None, :], mask=inside, other=0.0).to(SUM)
    logits = dot(queries, tl.trans(keys), DOT, HOW, SUM) + bias
    return tl.where((at < count)[None, :], logits, float("-inf"))


@triton.jit
def forward_kernel(
    q, kv, points, rows, cols, out, log_sum, heads, height, width, d, count,
    FACTOR: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr, WIDTH: tl.constexpr,
    DOT: tl.constexpr, HOW: tl.constexpr, SUM: tl.constexpr,
):  # fmt: skip
    """One program per head and block of queries; writes `out` and the logarithm of each softmax sum."""
    head, places, channels = tl.program_id(0).to(tl.int64), height * width, heads * d
    picture, first = head // heads, (head % heads) * d
    n = tl.program_id(1) * QUERIES + tl.arange(0, QUERIES)
    at, inside = queries_at(q, picture, first, n, places, channels, d, WIDTH)
    queries = tl.load(at, mask=inside, other=0.0).to(SUM) * tl.full((1, 1), FACTOR, SUM)
    peak, mass = tl.full((QUERIES,), float("-inf"), SUM), tl.zeros((QUERIES,), SUM)
    mean = tl.zeros((QUERIES, WIDTH), SUM)
    for start in range(0, count, KEYS):
        key = start + tl.arange(0, KEYS)
        keys = sampled(kv, points, picture, key, first, count, height, width, d, 2 * channels, WIDTH, SUM)
        values = sampled(kv, points, picture, key, channels + first, count, height, width, d, 2 * channels, WIDTH, SUM)
        logits = logits_of(queries, keys, rows, cols, head, n, key, count, height, width, DOT, HOW, SUM)
        higher = tl.maximum(peak, tl.max(logits, axis=1))
        fade, weights = tl.exp(peak - higher), tl.exp(logits - higher[:, None])
        mass = mass * fade + tl.sum(weights, axis=1)
        mean = mean * fade[:, None] + dot(weights, values, DOT, HOW, SUM)
        peak = higher
    at, inside = queries_at(out, picture, first, n, places, channels, d, WIDTH)
    tl.store(at, mean / mass[:, None], mask=inside)
    tl.store(log_sum + head * places + n, peak + tl.log(mass), mask=n < places)


@triton.jit
def queries_kernel(
    q, kv, points, rows, cols, log_sum, dout, along, dq, heads, height, width, d, count,
    FACTOR: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr, WIDTH: tl.constexpr,
    DOT: tl.constexpr, HOW: tl.constexpr, SUM: tl.constexpr,
):  # fmt: skip
    """`along` is the sum over channels of out times dout."""
    head, places, channels = tl.program_id(0).to(tl.int64), height * width, heads * d
    picture, first = head // heads, (head % heads) * d
    n = tl.program_id(1) * QUERIES + tl.arange(0, QUERIES)
    at, inside = queries_at(q, picture, first, n, places, channels, d, WIDTH)
    queries = tl.load(at, mask=inside, other=0.0).to(SUM) * tl.full((1, 1), FACTOR, SUM)
    at, inside = queries_at(dout, picture, first, n, places, channels, d, WIDTH)
    slope = tl.load(at, mask=inside, other=0.0)
    height_of = tl.load(log_sum + head * places + n, mask=n < places, other=0.0)[:, None]
    common = tl.load(along + head * places + n, mask=n < places, other=0.0)[:, None]
    total = tl.zeros((QUERIES, WIDTH), SUM)
    for start in range(0, count, KEYS):
        key = start + tl.arange(0, KEYS)
        keys = sampled(kv, points, picture, key, first, count, height, width, d, 2 * channels, WIDTH, SUM)
        values = sampled(kv, points, picture, key, channels + first, count, height, width, d, 2 * channels, WIDTH, SUM)
        logits = logits_of(queries, keys, rows, cols, head, n, key, count, height, width, DOT, HOW, SUM)
        dweights = dot(slope, tl.trans(values), DOT, HOW, SUM)
        total += dot(tl.exp(logits - height_of) * (dweights - common), keys, DOT, HOW, SUM)
    at, inside = queries_at(dq, picture, first, n, places, channels, d, WIDTH)
    tl.store(at, total * tl.full((1, 1), FACTOR, SUM), mask=inside)


@triton.jit
def keys_kernel(
    q, kv, points, rows, cols, log_sum, dout, along, dsamples, drows, dcols, heads, height, width, d, count,
    FACTOR: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr, WIDTH: tl.constexpr,
    DOT: tl.constexpr, HOW: tl.constexpr, SUM: tl.constexpr,
):  # fmt: skip
    """Loops over the rows of the map for one block of keys. dcols must start at zero; dsamples is (B, G, 2 C)."""
    head, places, channels = tl.program_id(0).to(tl.int64), height * width, heads * d
    picture, first = head // heads, (head % heads) * d
    key = tl.program_id(1) * KEYS + tl.arange(0, KEYS)
    keys = sampled(kv, points, picture, key, first, count, height, width, d, 2 * channels, WIDTH, SUM)
    values = sampled(kv, points, picture, key, channels + first, count, height, width, d, 2 * channels, WIDTH, SUM)
    sum_keys, sum_values = tl.zeros((KEYS, WIDTH), SUM), tl.zeros((KEYS, WIDTH), SUM)
    for row in range(height):
        sum_row = tl.zeros((KEYS,), SUM)
        for start in range(0, width, QUERIES):
            col = start + tl.arange(0, QUERIES)
            n = tl.where(col < width, row * width + col, places)
            at, inside = queries_at(q, picture, first, n, places, channels, d, WIDTH)
            queries = tl.load(at, mask=inside, other=0.0).to(SUM) * tl.full((1, 1), FACTOR, SUM)
            at, inside = queries_at(dout, picture, first, n, places, channels, d, WIDTH)
            slope = tl.load(at, mask=inside, other=0.0)
            height_of = tl.load(log_sum + head * places + n, mask=n < places, other=float("inf"))[:, None]
            common = tl.load(along + head * places + n, mask=n < places, other=0.0)[:, None]
            logits = logits_of(queries, keys, rows, cols, head, n, key, count, height, width, DOT, HOW, SUM)
            weights = tl.exp(logits - height_of)
            dlogits = weights * (dot(slope, tl.trans(values), DOT, HOW, SUM) - common)
            sum_keys += dot(tl.trans(dlogits), queries, DOT, HOW, SUM)
            sum_values += dot(tl.trans(weights), slope, DOT, HOW, SUM)
            sum_row += tl.sum(dlogits, axis=0)
            at = dcols + ((head * width + col) * count)[:, None] + key[None, :]
            inside = (col < width)[:, None] & (key < count)[None, :]
            tl.store(at, tl.load(at, mask=inside, other=0.0) + dlogits, mask=inside)
            tl.debug_barrier()
        tl.store(drows + (head * height + row) * count + key, sum_row, mask=key < count)
    channel = tl.arange(0, WIDTH)[None, :]
    at = dsamples + (picture * count + key)[:, None] * 2 * channels + first + channel
    inside = (key < count)[:, None] & (channel < d)
    tl.store(at, sum_keys, mask=inside)
    tl.store(at + channels, sum_values, mask=inside)


def deformable_attention(
    q: Tensor, x: Tensor, points: Tensor, to_kv: Callable[[Tensor], Tensor], rows: Tensor, cols: Tensor
) -> Tensor:
    """See the public function of that name."""
    out: Tensor = DeformableAttentionFunction.apply(q, to_kv(x.permute(0, 2, 3, 1)), points, rows, cols)
    return out


class DeformableAttentionFunction(torch.autograd.Function):
    """The attention of q (B, C, H, W) to kv (B, H, W, 2 C)."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, kv: Tensor, points: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
        inputs = [x.contiguous() for x in (q, kv, points, rows, cols)]
        B, C, H, W = q.shape
        heads, out = rows.shape[1], torch.empty_like(inputs[0])
        log_sum = q.new_empty((B, heads, H * W), dtype=torch.promote_types(q.dtype, torch.float32))
        sizes = (heads, H, W, C // heads, points.shape[1])
        if out.numel():
            forward_kernel[(B * heads, triton.cdiv(H * W, QUERIES))](
                *inputs, out, log_sum, *sizes, QUERIES=QUERIES, KEYS=KEYS, **constants(q, heads)
            )
        ctx.save_for_backward(*inputs, out, log_sum)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, out, log_sum = ctx.saved_tensors
        q, kv, points, rows, cols = inputs
        (B, C, H, W), heads, kept = q.shape, rows.shape[1], log_sum.dtype
        dout, dq = dout.contiguous(), torch.empty_like(q)
        along = (out.to(kept) * dout.to(kept)).view(B, heads, C // heads, H * W).sum(2)
        samples = q.new_empty((B, points.shape[1], 2 * C), dtype=kept)
        drows, dcols = rows.new_empty(rows.shape, dtype=kept), cols.new_zeros(cols.shape, dtype=kept)
        sizes, common = (heads, H, W, C // heads, points.shape[1]), constants(q, heads)
        read = (*inputs, log_sum, dout, along)
        queries_kernel[(B * heads, triton.cdiv(H * W, QUERIES))](
            *read, dq, *sizes, QUERIES=QUERIES, KEYS=KEYS, **common
        )  # fmt: skip
        line = min(QUERIES, max(triton.next_power_of_2(W), SIDE_MIN))
        keys_kernel[(B * heads, triton.cdiv(points.shape[1], KEYS))](
            *read, samples, drows, dcols, *sizes, QUERIES=line, KEYS=KEYS, **common
        )  # fmt: skip
        return dq, *through_samples(kv, points, samples), drows.to(rows.dtype), dcols.to(cols.dtype)


def through_samples(kv: Tensor, points: Tensor, dsamples: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of map and points from those of the samples, by the backward pass of torch's `grid_sample`."""
    with torch.enable_grad():
        field, at = kv.detach().to(dsamples.dtype).requires_grad_(), points.detach().to(dsamples.dtype).requires_grad_()
        found = sample_points(field.permute(0, 3, 1, 2), at)
    dfield, dat = torch.autograd.grad(found, (field, at), dsamples)
    return dfield.to(kv.dtype), dat.to(points.dtype)


def constants(q: Tensor, heads: int) -> dict[str, Any]:
    """The compile-time constants of a kernel, except its block sizes."""
    d = q.shape[1] // heads
    width = max(triton.next_power_of_2(d), SIDE_MIN)
    return {"FACTOR": 1 / math.sqrt(d), "WIDTH": width, **precision.precision(q.dtype)}
