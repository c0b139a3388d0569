"""Cosine window attention in plain torch: the oracle of the kernel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cosines(q: Tensor, k: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """q and k (..., tokens, width) whose products are cos(q, k) * scale.

    The scale is multiplied onto the queries: they are far fewer than the logits.
    """
    return F.normalize(q, dim=-1) * scale, F.normalize(k, dim=-1)


def masked(bias: Tensor, mask: Tensor | None) -> Tensor:
    """The bias of each head, or that of each window and head."""
    return bias if mask is None else bias + mask.to(bias.dtype)


def window_attention(q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
    """As the public function of that name."""
    q, k = cosines(q, k, scale)
    return torch.softmax(q @ k.transpose(-2, -1) + masked(bias, mask), dim=-1).to(v.dtype) @ v
