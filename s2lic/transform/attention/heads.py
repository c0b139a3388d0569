"""Heads of attention: splitting and joining channels, and softmax over visible keys."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from s2lic.transform.window import MASKED


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(..., n, C) -> (..., heads, n, C / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(-3, -2)  # type: ignore[no-any-return]


def join_heads(x: Tensor) -> Tensor:
    """(..., heads, n, d) -> (..., n, heads * d)."""
    return x.transpose(-3, -2).flatten(-2)


def weigh(logits: Tensor, seen: Tensor) -> Tensor:
    """Softmax over the visible keys of the last axis. A row without any gets equal weights; its output is cropped."""
    return torch.softmax(logits.masked_fill(~seen, MASKED), dim=-1)


def scaled_logits(q: Tensor, k: Tensor) -> Tensor:
    """q k / sqrt(d) over the last two axes (..., tokens, d)."""
    return (q * (1 / math.sqrt(q.shape[-1]))) @ k.transpose(-2, -1)
