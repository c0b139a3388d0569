"""What an attention makes of its queries, keys and values."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Rule(nn.Module, ABC):
    """What makes attention of queries and keys (..., tokens, width); a hidden key has a bias of `MASKED`."""

    @abstractmethod
    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor: ...

    def macs(self, tokens: int, keys: int, dim: int) -> int:
        """Of all queries in windows of so many keys."""
        return 2 * tokens * keys * dim


class Softmax(Rule):
    """softmax(q k + bias) v."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        return torch.softmax(q @ k.transpose(-2, -1) + bias, dim=-1).to(v.dtype) @ v
