"""Attention of cells of queries to the cells of keys that a list names: what is not listed is never read."""

from __future__ import annotations

from torch import Tensor

from s2lic.kernels.dispatch import runs_on_triton
from s2lic.kernels.listed_attention import naive

WIDTH_MAX = 64  # of a head that the kernel takes; wider ones run in plain torch


def listed_attention(q: Tensor, k: Tensor, v: Tensor, index: Tensor, seen: Tensor | None = None) -> Tensor:
    """softmax(q k / sqrt(d)) v over the cells of keys that `index` lists for each cell of queries.

    q (B, h, cells, n, d); k, v (B, h, N, m, d); index (B, h or 1, cells, K), of which all but the first of a list may
    be -1 for none; seen (N, m), false for keys that nobody sees -> (B, h, cells, n, d). Differentiable once.
    """
    if runs_on_triton("listed_attention", q) and q.shape[-1] <= WIDTH_MAX:
        from s2lic.kernels.listed_attention import triton

        return triton.listed_attention(q, k, v, index, seen)
    return naive.listed_attention(q, k, v, index, seen)
