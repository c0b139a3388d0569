"""Cosine attention inside windows, with a position bias and a mask (Liu et al. 2022, Swin V2)."""

from __future__ import annotations

from torch import Tensor

from s2lic.kernels.dispatch import runs_on_triton
from s2lic.kernels.window_attention import naive

# The limits of the kernel. Wider heads and larger windows run in plain torch.
TOKENS_MAX, WIDTH_MAX = 64, 64


def window_attention(q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
    """softmax(scale cos(q, k) + bias + mask) v. Differentiable once, except in the mask.

    Args:
        q: Queries, (B, windows, heads, n, d).
        k: Keys of the same shape.
        v: Values of the same shape.
        scale: (heads, 1, 1).
        bias: (heads, n, n).
        mask: 0 for visible keys and -1e9 for hidden ones, (windows, 1, n, n); None if all are visible.

    Returns:
        The shape of q.
    """
    if runs_on_triton("window_attention", q) and fits(q):
        from s2lic.kernels.window_attention import triton

        return triton.window_attention(q, k, v, scale, bias, mask)
    return naive.window_attention(q, k, v, scale, bias, mask)


def fits(q: Tensor) -> bool:
    """Whether the kernel supports windows and heads of this size."""
    return q.shape[-2] <= TOKENS_MAX and q.shape[-1] <= WIDTH_MAX
