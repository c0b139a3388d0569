"""Attention of cells of queries to listed cells of keys. Unlisted cells are never read."""

from __future__ import annotations

from torch import Tensor

from s2lic.kernels.dispatch import runs_on_triton
from s2lic.kernels.listed_attention import naive

WIDTH_MAX = 64  # channels of a head in the kernel; wider heads run in plain torch


def listed_attention(q: Tensor, k: Tensor, v: Tensor, index: Tensor, seen: Tensor | None = None) -> Tensor:
    """softmax(q k / sqrt(d)) v over the cells of keys that `index` lists for each cell of queries. Differentiable once.

    Args:
        q: Queries, (B, h, cells, n, d).
        k: Keys, (B, h, N, m, d).
        v: Values, (B, h, N, m, d).
        index: Cells of keys for each cell of queries, (B, h or 1, cells, K). All but the first may be -1 for none.
        seen: False for keys that are hidden from all queries, (N, m).

    Returns:
        (B, h, cells, n, d).
    """
    if runs_on_triton("listed_attention", q) and q.shape[-1] <= WIDTH_MAX:
        from s2lic.kernels.listed_attention import triton

        return triton.listed_attention(q, k, v, index, seen)
    return naive.listed_attention(q, k, v, index, seen)
