"""What tests of blocks share: float64 nets and maps, what a place is felt by, attention in its plainest form."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from s2lic.transform.blocks import block_row, create_block
from s2lic.transform.context import QUALITY_WIDTH, Context
from tests.references.weights import shaken


def made(key: str, dim: int = 16, heads: int = 2, std: float = 0.3, **options: object) -> nn.Module:
    """A block in float64, in eval mode, none of its weights at rest."""
    torch.manual_seed(0)
    return told(key, shaken(create_block(key, dim, heads, **options).double().eval(), std))


def told(key: str, net: nn.Module) -> nn.Module:
    """The block, which is given a condition by itself if it needs one."""
    if block_row(key).needs_cond:
        net.register_forward_pre_hook(lambda _, args: (args[0], condition(len(args[0]))) if len(args) == 1 else None)
    return net


def condition(pictures: int, seed: int = 5) -> Context:
    return Context(quality=draw(pictures, QUALITY_WIDTH, seed=seed))


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@torch.no_grad()
def felt(net: Callable[[Tensor], Tensor], x: Tensor, row: int, col: int) -> Tensor:
    """(H, W): where the output changes in any bit when the input changes at one place."""
    moved = x.clone()
    moved[..., row, col] += draw(x.shape[1], seed=9)
    return (net(moved) != net(x)).any(0).any(0)


def box(height: int, width: int, rows: slice, cols: slice) -> Tensor:
    """(H, W): true inside the rectangle."""
    inside = torch.zeros(height, width, dtype=torch.bool)
    inside[rows, cols] = True
    return inside


def permuted(x: Tensor, order: Tensor) -> Tensor:
    """The places of (B, C, H, W) in another order."""
    return x.flatten(2)[..., order].view_as(x)


def full_attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """softmax(q k / sqrt(d)) v of (N, C), one head and one query at a time."""
    out = torch.empty_like(q)
    for part in torch.arange(q.shape[1]).chunk(heads):
        for i, query in enumerate(q[:, part]):
            weights = torch.softmax(k[:, part] @ query / math.sqrt(len(part)), dim=0)
            out[i, part] = weights @ v[:, part]
    return out
