"""Cosine window attention in plain torch, the reference for the kernel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cosines(q: Tensor, k: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Normalises q and k (..., tokens, width) so that their products are scale * cos(q, k).

    Scaling the queries is cheaper than scaling the logits, of which there are far more.
    """
    return F.normalize(q, dim=-1) * scale, F.normalize(k, dim=-1)


def masked(bias: Tensor, mask: Tensor | None) -> Tensor:
    """The bias with the mask added, per head or per window and head."""
    return bias if mask is None else bias + mask.to(bias.dtype)


def window_attention(q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
    """See the public function of that name."""
    q, k = cosines(q, k, scale)
    return torch.softmax(q @ k.transpose(-2, -1) + masked(bias, mask), dim=-1).to(v.dtype) @ v
