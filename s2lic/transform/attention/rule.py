"""What an attention makes of its queries, keys and values."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from s2lic.kernels.window_attention import window_attention
from s2lic.kernels.window_attention.naive import cosines, masked
from s2lic.transform.window import MASKED


def softmax_weights(q: Tensor, k: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """softmax(q k + bias) over the keys, and which key each query sees, of one shape."""
    weights = torch.softmax(q @ k.transpose(-2, -1) + bias, dim=-1)
    return weights, (bias > MASKED / 2).expand_as(weights)


class Rule(nn.Module, ABC):
    """What makes attention of queries and keys (..., heads, tokens, width); a hidden key has a bias of `MASKED`."""

    @abstractmethod
    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor: ...

    def over_cosines(self, q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
        """The same of q and k of any length, for their cosines; shapes as `kernels.window_attention` has them."""
        out: Tensor = self(*cosines(q, k, scale), v, masked(bias, mask))
        return out


class Softmax(Rule):
    """softmax(q k + bias) v."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        return torch.softmax(q @ k.transpose(-2, -1) + bias, dim=-1).to(v.dtype) @ v

    def over_cosines(self, q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
        return window_attention(q, k, v, scale, bias, mask)
