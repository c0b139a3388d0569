"""Sigmoid window attention: the kernel of `window_attention` with other weights."""

from __future__ import annotations

from torch import Tensor

from s2lic.kernels.window_attention.triton import attend


def sigmoid_attention(q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
    """See the public function of that name."""
    return attend(q, k, v, scale, bias, mask, sigmoid=True)
