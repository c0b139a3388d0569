"""Weights for tests: layers that start at zero hide what stands before them, so all are moved."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

Net = TypeVar("Net", bound=nn.Module)


@torch.no_grad()
def shaken(net: Net, std: float = 0.1, seed: int = 0) -> Net:
    """The same net with seeded Gaussian noise on every parameter."""
    noise = torch.Generator().manual_seed(seed)
    for weight in net.parameters():
        step = torch.randn(weight.shape, generator=noise, dtype=torch.float64)
        weight.add_((std * step).to(weight.dtype))
    return net
