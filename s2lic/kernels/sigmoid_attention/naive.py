"""Sigmoid window attention in plain torch: the oracle of the kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from s2lic.kernels.window_attention.naive import cosines, masked

HIDDEN = -5e8  # half a mask's -1e9: no logit that counts comes near it


def sigmoid_attention(q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
    """As the public function of that name."""
    q, k = cosines(q, k, scale)
    return weigh((q @ k.transpose(-2, -1)).to(bias.dtype) + masked(bias, mask), v)


def weigh(logits: Tensor, v: Tensor) -> Tensor:
    """sum_j sigmoid(logits_ij - log n_i) v_j; n_i counts the logits that are not `HIDDEN`."""
    seen = (logits > HIDDEN).sum(-1, keepdim=True).clamp(min=1)
    return torch.sigmoid(logits - seen.to(logits.dtype).log()).to(v.dtype) @ v
