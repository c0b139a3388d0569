"""Window attention without normalisation over the keys (Ramapuram et al. 2025, sigmoid self-attention)."""

from __future__ import annotations

from torch import Tensor

from s2lic.kernels.dispatch import runs_on_triton
from s2lic.kernels.sigmoid_attention import naive
from s2lic.kernels.window_attention import fits


def sigmoid_attention(q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
    """sum_j sigmoid(scale cos(q_i, k_j) + bias_ij - log n_i) v_j, where query i sees n_i keys, at least 1.

    Shapes, mask and gradients are those of `window_attention`.
    """
    if runs_on_triton("sigmoid_attention", q) and fits(q):
        from s2lic.kernels.sigmoid_attention import triton

        return triton.sigmoid_attention(q, k, v, scale, bias, mask)
    return naive.sigmoid_attention(q, k, v, scale, bias, mask)
