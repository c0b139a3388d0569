"""Dual attention: positions in windows, then channels of the whole map (Ding et al. 2022, DaViT)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from s2lic.transform.attention.heads import join_heads, split_heads
from s2lic.transform.attention.rule import Rule, Softmax
from s2lic.transform.blocks.conv_glu import depthwise
from s2lic.transform.blocks.davit_channel import DavitChannel
from s2lic.transform.window import Grid, mask, merge, split

WINDOW = 7


class DavitWindow(nn.Module):
    """Window attention without shift and bias, between two 3x3 depth-wise convolutions with residuals.

    On (B, C, H, W). Unlike the published code, it hides the keys of the padding.
    """

    def __init__(
        self, dim: int, heads: int = 1, window: int = WINDOW, positions: bool = True, rule: Rule | None = None
    ) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.before = depthwise(dim, 3) if positions else None
        self.after = depthwise(dim, 3) if positions else None
        self.qkv = nn.Linear(dim, 3 * dim)
        self.rule = rule or Softmax()
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.before is None else x + self.before(x)
        grid = Grid(x.shape[2], x.shape[3], self.window, 0)
        q, k, v = (split_heads(t, self.heads) for t in self.qkv(split(x.permute(0, 2, 3, 1), grid)).chunk(3, dim=-1))
        bias = mask(grid, x.device).to(q.dtype) if grid.needs_mask else torch.zeros((), dtype=q.dtype, device=x.device)
        out = self.rule(q * (1 / math.sqrt(q.shape[-1])), k, v, bias)
        out = merge(self.proj(join_heads(out)), grid).permute(0, 3, 1, 2)
        return out if self.after is None else out + self.after(out)  # type: ignore[no-any-return]


class DavitDual(nn.Module):
    """window(x) + channel(x + window(x)) on (B, C, H, W); the enclosing layer adds x."""

    def __init__(
        self,
        dim: int,
        heads: int = 1,
        window: int = WINDOW,
        scale: str = "cosine",
        positions: bool = True,
        rule: Rule | None = None,
    ) -> None:
        super().__init__()
        self.near = DavitWindow(dim, heads, window, positions, rule)
        self.channel = DavitChannel(dim, heads, scale, positions)

    def forward(self, x: Tensor) -> Tensor:
        near = self.near(x)
        return near + self.channel(x + near)  # type: ignore[no-any-return]
