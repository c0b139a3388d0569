"""Attention of every place of a map to a few points between places (Xia et al. 2022, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from s2lic.kernels.deformable_attention import naive
from s2lic.kernels.dispatch import runs_on_triton

WIDTH_MAX = 64  # of a head that the kernel takes; wider ones run in plain torch


def deformable_attention(
    q: Tensor, x: Tensor, points: Tensor, to_kv: Callable[[Tensor], Tensor], rows: Tensor, cols: Tensor
) -> Tensor:
    """softmax(q k / sqrt(d) + rows + cols) v of keys and values at `points` of x -> (B, C, H, W).

    q: (B, C, H, W). x: (B, S, H, W). points: (B, G, 2), row and column in units of places; beyond the edge the edge
    is repeated. to_kv: affine, (..., S) -> (..., 2 C), keys and then values. rows: (B, heads, H, G) and cols:
    (B, heads, W, G), the position bias. Differentiable once.
    """
    if runs_on_triton("deformable_attention", q) and q.shape[1] // rows.shape[1] <= WIDTH_MAX:
        from s2lic.kernels.deformable_attention import triton

        return triton.deformable_attention(q, x, points, to_kv, rows, cols)
    return naive.deformable_attention(q, x, points, to_kv, rows, cols)
