"""Cosine window attention in one pass. A program holds a whole window of one head, so logits stay in registers.

`sigmoid_attention` uses the same kernel with another function of the logits.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from s2lic.kernels import precision
from s2lic.kernels.precision import dot

# Programs of the backward pass. Each loops over its share of windows and sums the gradients of bias and scale.
PROGRAMS = 512
SIDE_MIN = 16  # of a block that tl.dot takes
TINY = tl.constexpr(1e-12)  # the smallest norm, as in F.normalize; a kernel reads it in float32
HIDDEN = tl.constexpr(-5e8)  # keys with smaller logits are hidden


@triton.jit
def tokens_at(x, window, head, stride_w, stride_h, stride_n, n, d, TOKENS: tl.constexpr, WIDTH: tl.constexpr):
    """Pointers to the tokens of a window and head (TOKENS, WIDTH), and which of them exist."""
    token, channel = tl.arange(0, TOKENS)[:, None], tl.arange(0, WIDTH)[None, :]
    return x + window * stride_w + head * stride_h + token * stride_n + channel, (token < n) & (channel < d)


@triton.jit
def unit(x):
    """x of length 1 by rows, and what it was divided by."""
    norm = tl.maximum(tl.sqrt(tl.sum(x * x, axis=1)), TINY)[:, None]
    return x / norm, norm


@triton.jit
def through_unit(dy, y, norm):
    """The gradient of x from that of y = unit(x)."""
    along = tl.where(norm > TINY, tl.sum(dy * y, axis=1)[:, None], 0.0)
    return (dy - y * along) / norm


@triton.jit
def biases(bias, mask, window, head, n, windows, TOKENS: tl.constexpr, MASKED: tl.constexpr, SUM: tl.constexpr):
    """Bias and mask added up (TOKENS, TOKENS), how many keys each query sees, and which keys exist."""
    query, key = tl.arange(0, TOKENS)[:, None], tl.arange(0, TOKENS)[None, :]
    at, inside = query * n + key, (query < n) & (key < n)
    total = tl.load(bias + head * n * n + at, mask=inside, other=0.0).to(SUM)
    exists = (key < n) & (query < TOKENS)
    seen = exists
    if MASKED:
        hidden = tl.load(mask + (window % windows) * n * n + at, mask=inside, other=0.0).to(SUM)
        total += hidden
        seen = exists & (hidden > HIDDEN)
    return total, tl.maximum(tl.sum(seen.to(SUM), axis=1), 1.0)[:, None], exists


@triton.jit
def weigh(logits, count, exists, SIGMOID: tl.constexpr):
    """Weights of the keys by rows: a softmax, or sigmoids of logits less log(count)."""
    if SIGMOID:
        x = logits - tl.log(count)
        small = tl.exp(-tl.abs(x))
        return tl.where(exists, tl.where(x >= 0, 1.0, small) / (1.0 + small), 0.0)
    logits = tl.where(exists, logits, float("-inf"))
    weights = tl.exp(logits - tl.max(logits, axis=1)[:, None])
    return weights / tl.sum(weights, axis=1)[:, None]


@triton.jit
def through_weigh(dweights, weights, SIGMOID: tl.constexpr):
    """The gradient of the logits from that of their weights."""
    if SIGMOID:
        return weights * (1.0 - weights) * dweights
    return weights * (dweights - tl.sum(weights * dweights, axis=1)[:, None])


@triton.jit
def forward_kernel(
    q, k, v, scale, bias, mask, out,
    q_w, q_h, q_n, k_w, k_h, k_n, v_w, v_h, v_n, out_w, out_h, out_n, n, d, heads, windows,
    TOKENS: tl.constexpr, WIDTH: tl.constexpr, MASKED: tl.constexpr, SIGMOID: tl.constexpr,
    DOT: tl.constexpr, HOW: tl.constexpr, SUM: tl.constexpr,
):  # fmt: skip
    """One program per window and head; writes `out`."""
    window, head = (tl.program_id(0) // heads).to(tl.int64), tl.program_id(0) % heads
    at, inside = tokens_at(q, window, head, q_w, q_h, q_n, n, d, TOKENS, WIDTH)
    queries, _ = unit(tl.load(at, mask=inside, other=0.0).to(SUM))
    at, inside = tokens_at(k, window, head, k_w, k_h, k_n, n, d, TOKENS, WIDTH)
    keys, _ = unit(tl.load(at, mask=inside, other=0.0).to(SUM))
    at, inside = tokens_at(v, window, head, v_w, v_h, v_n, n, d, TOKENS, WIDTH)
    values = tl.load(at, mask=inside, other=0.0)
    total, count, exists = biases(bias, mask, window, head, n, windows, TOKENS, MASKED, SUM)
    cosine = dot(queries, tl.trans(keys), DOT, HOW, SUM)
    weights = weigh(cosine * tl.load(scale + head).to(SUM) + total, count, exists, SIGMOID)
    at, inside = tokens_at(out, window, head, out_w, out_h, out_n, n, d, TOKENS, WIDTH)
    tl.store(at, dot(weights, values, DOT, HOW, SUM), mask=inside)


@triton.jit
def backward_kernel(
    q, k, v, scale, bias, mask, dout, dq, dk, dv, dscale, dbias,
    q_w, q_h, q_n, k_w, k_h, k_n, v_w, v_h, v_n, dout_w, dout_h, dout_n, out_w, out_h, out_n,
    n, d, heads, windows, count_windows,
    TOKENS: tl.constexpr, WIDTH: tl.constexpr, MASKED: tl.constexpr, SIGMOID: tl.constexpr,
    DOT: tl.constexpr, HOW: tl.constexpr, SUM: tl.constexpr,
):  # fmt: skip
    """dscale (programs, heads) and dbias (programs, heads, n, n) are sums over a program's windows."""
    head, first, programs = tl.program_id(0), tl.program_id(1).to(tl.int64), tl.num_programs(1)
    factor = tl.load(scale + head).to(SUM)
    sum_bias, sum_scale = tl.zeros((TOKENS, TOKENS), SUM), tl.zeros((TOKENS,), SUM)
    for step in range(tl.cdiv(count_windows - tl.program_id(1), programs)):
        window = first + step * programs
        at, inside = tokens_at(q, window, head, q_w, q_h, q_n, n, d, TOKENS, WIDTH)
        queries, q_norm = unit(tl.load(at, mask=inside, other=0.0).to(SUM))
        at, inside = tokens_at(k, window, head, k_w, k_h, k_n, n, d, TOKENS, WIDTH)
        keys, k_norm = unit(tl.load(at, mask=inside, other=0.0).to(SUM))
        at, inside = tokens_at(v, window, head, v_w, v_h, v_n, n, d, TOKENS, WIDTH)
        values = tl.load(at, mask=inside, other=0.0)
        at, inside = tokens_at(dout, window, head, dout_w, dout_h, dout_n, n, d, TOKENS, WIDTH)
        slope = tl.load(at, mask=inside, other=0.0)
        total, count, exists = biases(bias, mask, window, head, n, windows, TOKENS, MASKED, SUM)
        cosine = dot(queries, tl.trans(keys), DOT, HOW, SUM)
        weights = weigh(cosine * factor + total, count, exists, SIGMOID)
        dlogits = through_weigh(dot(slope, tl.trans(values), DOT, HOW, SUM), weights, SIGMOID)
        sum_bias += dlogits
        sum_scale += tl.sum(dlogits * cosine, axis=1)
        dcosine = dlogits * factor
        dqueries = through_unit(dot(dcosine, keys, DOT, HOW, SUM), queries, q_norm)
        dkeys = through_unit(dot(tl.trans(dcosine), queries, DOT, HOW, SUM), keys, k_norm)
        at, inside = tokens_at(dq, window, head, out_w, out_h, out_n, n, d, TOKENS, WIDTH)
        tl.store(at, dqueries, mask=inside)
        at, inside = tokens_at(dk, window, head, out_w, out_h, out_n, n, d, TOKENS, WIDTH)
        tl.store(at, dkeys, mask=inside)
        at, inside = tokens_at(dv, window, head, out_w, out_h, out_n, n, d, TOKENS, WIDTH)
        tl.store(at, dot(tl.trans(weights), slope, DOT, HOW, SUM), mask=inside)
    query, key = tl.arange(0, TOKENS)[:, None], tl.arange(0, TOKENS)[None, :]
    row = first * heads + head
    tl.store(dbias + row * n * n + query * n + key, sum_bias, mask=(query < n) & (key < n))
    tl.store(dscale + row, tl.sum(sum_scale, axis=0))


def window_attention(q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
    """As the public function of that name."""
    return attend(q, k, v, scale, bias, mask, sigmoid=False)


def attend(q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None, sigmoid: bool) -> Tensor:
    """Both rules; shapes as `window_attention` has them."""
    out: Tensor = WindowAttentionFunction.apply(q, k, v, scale, bias, mask, sigmoid)
    return out


class WindowAttentionFunction(torch.autograd.Function):
    """Keeps its inputs alone: a window is cheap to weigh again."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None, sigmoid: bool
    ) -> Tensor:
        rows = [by_window(x) for x in (q, k, v)]
        scale, bias, out = scale.contiguous(), bias.contiguous(), token_major(v)
        ctx.save_for_backward(*rows, scale, bias, mask)
        ctx.sigmoid = sigmoid
        W, heads, n, d = out.shape
        strides = [x.stride()[:3] for x in (*rows, out)]
        if out.numel():
            forward_kernel[(W * heads,)](
                *rows, scale, bias, mask if mask is not None else bias, out, *sum(strides, ()), n, d, heads,
                1 if mask is None else len(mask), **constants(v, mask, sigmoid),
            )  # fmt: skip
        by_picture: Tensor = out.unflatten(0, v.shape[:2])
        return by_picture

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        *rows, scale, bias, mask = ctx.saved_tensors
        (W, heads, n, d), slope = rows[2].shape, by_window(dout)
        grads = [token_major(dout) for _ in rows]
        programs = max(min(W, PROGRAMS // heads), 1)
        kept = torch.promote_types(dout.dtype, torch.float32)
        dscale = dout.new_empty((programs, heads), dtype=kept)
        dbias = dout.new_empty((programs, heads, n, n), dtype=kept)
        strides = [x.stride()[:3] for x in (*rows, slope, grads[0])]
        backward_kernel[(heads, programs)](
            *rows, scale, bias, mask if mask is not None else bias, slope, *grads, dscale, dbias, *sum(strides, ()),
            n, d, heads, 1 if mask is None else len(mask), W, **constants(dout, mask, ctx.sigmoid),
        )  # fmt: skip
        sums = dscale.sum(0).view_as(scale).to(scale.dtype), dbias.sum(0).to(bias.dtype)
        return (*(x.unflatten(0, dout.shape[:2]) for x in grads), *sums, None, None)


def by_window(x: Tensor) -> Tensor:
    """(B, windows, heads, n, d) -> (B * windows, heads, n, d) whose channels lie side by side."""
    x = x.flatten(0, 1)
    return x if x.stride(-1) == 1 else x.contiguous()


def token_major(like: Tensor) -> Tensor:
    """Unwritten (B * windows, heads, n, d) whose heads lie side by side in a token, so that joining them is free."""
    B, W, heads, n, d = like.shape
    return like.new_empty((B * W, n, heads, d)).transpose(1, 2)


def constants(v: Tensor, mask: Tensor | None, sigmoid: bool) -> dict[str, Any]:
    """What a kernel is compiled for."""
    n, d = v.shape[-2:]
    return {
        "TOKENS": max(triton.next_power_of_2(n), SIDE_MIN),
        "WIDTH": max(triton.next_power_of_2(d), SIDE_MIN),
        "MASKED": mask is not None,
        "SIGMOID": sigmoid,
        **precision.precision(v.dtype),
    }
