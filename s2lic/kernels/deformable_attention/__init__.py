"""Attention of every position of a map to a few sampled points (Xia et al. 2022, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from s2lic.kernels.deformable_attention import naive
from s2lic.kernels.dispatch import runs_on_triton

WIDTH_MAX = 64  # channels of a head in the kernel; wider heads run in plain torch


def deformable_attention(
    q: Tensor, x: Tensor, points: Tensor, to_kv: Callable[[Tensor], Tensor], rows: Tensor, cols: Tensor
) -> Tensor:
    """softmax(q k / sqrt(d) + rows + cols) v, with keys and values sampled at `points` of x. Differentiable once.

    Args:
        q: Queries, (B, C, H, W).
        x: The map to sample, (B, S, H, W).
        points: Row and column of each point in units of positions, (B, G, 2). Outside the map, the edge is repeated.
        to_kv: An affine map, (..., S) -> (..., 2 C): keys, then values.
        rows: The position bias of rows, (B, heads, H, G).
        cols: The position bias of columns, (B, heads, W, G).

    Returns:
        (B, C, H, W).
    """
    if runs_on_triton("deformable_attention", q) and q.shape[1] // rows.shape[1] <= WIDTH_MAX:
        from s2lic.kernels.deformable_attention import triton

        return triton.deformable_attention(q, x, points, to_kv, rows, cols)
    return naive.deformable_attention(q, x, points, to_kv, rows, cols)
