"""Blocked local attention: each block of queries also sees a margin around it (Vaswani et al. 2021, HaloNet)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from s2lic.transform.attention.heads import join_heads, split_heads
from s2lic.transform.attention.rule import Rule, Softmax
from s2lic.transform.window import MASKED, Grid, extend, merge, split


def neighbourhoods(x: Tensor, grid: Grid, halo: int) -> Tensor:
    """(B, H, W, C) -> (B, blocks, (window + 2 halo)^2, C): each block of the grid with its margin."""
    (hp, wp), reach = grid.padded, grid.window + 2 * halo
    x = extend(x, hp - grid.height, wp - grid.width, halo)
    cut = x.unfold(1, reach, grid.window).unfold(2, reach, grid.window)  # (B, rows, cols, C, reach, reach)
    return cut.permute(0, 1, 2, 4, 5, 3).flatten(3, 4).flatten(1, 2)


def in_map(grid: Grid, halo: int, device: torch.device) -> Tensor:
    """A mask (blocks, 1, 1, (window + 2 halo)^2) of the positions that lie in the map."""
    rows, cols = (
        _inside(padded, size, grid.window, halo, device)
        for padded, size in zip(grid.padded, (grid.height, grid.width), strict=True)
    )
    seen = rows[:, None, :, None] & cols[None, :, None, :]
    return seen.flatten(2, 3).flatten(0, 1)[:, None, None]


def _inside(padded: int, size: int, window: int, halo: int, device: torch.device) -> Tensor:
    first = torch.arange(0, padded, window, device=device) - halo
    at = first[:, None] + torch.arange(window + 2 * halo, device=device)
    return (at >= 0) & (at < size)


class Halo(nn.Module):
    """softmax(q k / sqrt(d) + q (row offset + column offset)) v over (window + 2 halo)^2 keys, (B, C, H, W).

    Overlap replaces shifted windows. Keys outside the map are hidden. All heads share the two tables of relative
    embeddings.
    """

    def __init__(self, dim: int, heads: int = 1, window: int = 8, halo: int = 3, rule: Rule | None = None) -> None:
        super().__init__()
        self.heads, self.window, self.halo = heads, window, halo
        self.reach, width = window + 2 * halo, dim // heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.rows = nn.Parameter(width**-0.5 * torch.randn(2 * self.reach - 1, width))
        self.cols = nn.Parameter(width**-0.5 * torch.randn(2 * self.reach - 1, width))
        self.rule = rule or Softmax()
        self.proj = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        grid = Grid(x.shape[2], x.shape[3], self.window, 0)
        q, k, v = self.qkv(x.permute(0, 2, 3, 1)).chunk(3, dim=-1)
        q = split_heads(split(q, grid), self.heads)
        k, v = (split_heads(neighbourhoods(t, grid, self.halo), self.heads) for t in (k, v))
        seen = in_map(grid, self.halo, x.device) & in_map(grid, 0, x.device).transpose(-2, -1)
        out = self.rule(q * (1 / math.sqrt(q.shape[-1])), k, v, self.relative(q).masked_fill(~seen, MASKED))
        return merge(self.proj(join_heads(out)), grid).permute(0, 3, 1, 2)

    def relative(self, q: Tensor) -> Tensor:
        """(..., window^2, d) -> (..., window^2, reach^2): q times the embeddings of the offset to each key."""
        at = torch.arange(self.window, device=q.device)
        steps = torch.arange(self.reach, device=q.device) - at[:, None] + self.reach - 1 - self.halo
        by_row = self._looked_up(q @ self.rows.T, steps.repeat_interleave(self.window, 0))
        by_col = self._looked_up(q @ self.cols.T, steps.repeat(self.window, 1))
        return (by_row.unsqueeze(-1) + by_col.unsqueeze(-2)).flatten(-2)

    @staticmethod
    def _looked_up(logits: Tensor, index: Tensor) -> Tensor:
        return logits.gather(-1, index.expand(*logits.shape[:-1], -1))
