"""Sigmoid window attention in plain torch, the reference for the kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from s2lic.kernels.window_attention.naive import cosines, masked

HIDDEN = -5e8  # half of a mask's -1e9, far below every visible logit


def sigmoid_attention(q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
    """See the public function of that name."""
    q, k = cosines(q, k, scale)
    return weigh((q @ k.transpose(-2, -1)).to(bias.dtype) + masked(bias, mask), v)


def weigh(logits: Tensor, v: Tensor) -> Tensor:
    """sum_j sigmoid(logits_ij - log n_i) v_j, where n_i counts the logits above `HIDDEN`."""
    seen = (logits > HIDDEN).sum(-1, keepdim=True).clamp(min=1)
    return torch.sigmoid(logits - seen.to(logits.dtype).log()).to(v.dtype) @ v
