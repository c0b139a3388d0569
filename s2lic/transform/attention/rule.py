"""Rules: how attention combines queries, keys and values."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from s2lic.kernels.window_attention import window_attention
from s2lic.kernels.window_attention.naive import cosines, masked
from s2lic.transform.window import MASKED


def softmax_weights(q: Tensor, k: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """softmax(q k + bias) over the keys, and a mask of the visible keys in the same shape."""
    weights = torch.softmax(q @ k.transpose(-2, -1) + bias, dim=-1)
    return weights, (bias > MASKED / 2).expand_as(weights)


class Rule(nn.Module, ABC):
    """Computes attention from q, k, v (..., heads, tokens, width). Hidden keys have a bias of `MASKED`."""

    @abstractmethod
    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor: ...

    def over_cosines(self, q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
        """The same on the cosines of q and k. Shapes are those of `kernels.window_attention`."""
        out: Tensor = self(*cosines(q, k, scale), v, masked(bias, mask))
        return out


class Softmax(Rule):
    """softmax(q k + bias) v."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        return torch.softmax(q @ k.transpose(-2, -1) + bias, dim=-1).to(v.dtype) @ v

    def over_cosines(self, q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
        return window_attention(q, k, v, scale, bias, mask)
