"""Attention to listed cells in plain torch, the reference for the kernel. It gathers keys and values in parts."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from s2lic.kernels.gather import gathered, parts

# Finite, so that a query without visible keys gives a number (cropped later) and not NaN.
HIDDEN = -1e9


def listed_attention(q: Tensor, k: Tensor, v: Tensor, index: Tensor, seen: Tensor | None = None) -> Tensor:
    """See the public function of that name."""
    index = index.expand(-1, q.shape[1], -1, -1)
    k, v = k.contiguous(), v.contiguous()
    each = q.shape[0] * q.shape[1] * index.shape[-1] * k.shape[3] * (2 * q.shape[4] + q.shape[3])
    done = [_attend(q[:, :, part], k, v, index[:, :, part], seen) for part in parts(q.shape[2], each)]
    return torch.cat(done, dim=2)


def _attend(q: Tensor, k: Tensor, v: Tensor, index: Tensor, seen: Tensor | None) -> Tensor:
    there = index >= 0
    index = torch.where(there, index, index[..., :1])
    shown = there.unsqueeze(-1) if seen is None else there.unsqueeze(-1) & seen[index]
    shown = shown.expand(*index.shape, k.shape[3]).flatten(3).unsqueeze(3)
    logits = (q * (1 / math.sqrt(q.shape[-1]))) @ gathered(k, index).flatten(3, 4).transpose(-2, -1)
    weights = torch.softmax(logits.masked_fill_(~shown, HIDDEN), dim=-1)
    return weights.to(v.dtype) @ gathered(v, index).flatten(3, 4)
