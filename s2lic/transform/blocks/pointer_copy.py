"""Copies the one position, near or pooled, that a pointer selects (Vinyals et al. 2015, Pointer Networks)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.kernels.gather import parts
from s2lic.transform.attention.listed import best, exactly
from s2lic.transform.blocks.halo import in_map
from s2lic.transform.window import MASKED, Grid, merge, split

WIDTH = 64
POOL = 8


class Pointer(nn.Module):
    """score(tanh(asked(candidate) + asking(query))): additive attention (Bahdanau et al. 2015) as a pointer."""

    def __init__(self, dim: int, width: int = WIDTH) -> None:
        super().__init__()
        self.asked = nn.Linear(dim, width, bias=False)
        self.asking = nn.Linear(dim, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, queries: Tensor, candidates: Tensor) -> Tensor:
        """(..., n, C) and (..., m, C) -> (..., n, m)."""
        mixed = self.asking(queries).unsqueeze(-2) + self.asked(candidates).unsqueeze(-3)
        return self.score(torch.tanh(mixed)).squeeze(-1)  # type: ignore[no-any-return]


def copied(logits: Tensor, candidates: Tensor) -> Tensor:
    """The candidate with the largest logit: (..., n, m), (..., m, C) -> (..., n, C)."""
    index = best(logits, 1).expand(*logits.shape[:-1], candidates.shape[-1])
    return candidates.gather(-2, index)


def pointed(logits: Tensor, candidates: Tensor) -> Tensor:
    """The same, with the gradient of softmax(logits) @ candidates (straight-through), for training."""
    soft = torch.softmax(logits, dim=-1)
    hard = F.one_hot(best(logits, 1).squeeze(-1), logits.shape[-1]).to(soft.dtype)
    return (hard + (soft - soft.detach())).to(candidates.dtype) @ candidates


class PointerCopy(nn.Module):
    """Replaces each position by a copy of one in its window or of one of 8x8 means of the map, then a linear map.

    Works on (B, C, H, W). The pointer is computed from the features, so it costs no bits.
    """

    def __init__(self, dim: int, window: int = 8, width: int = WIDTH, pool: int = POOL) -> None:
        super().__init__()
        self.window, self.pool = window, pool
        self.pointer = Pointer(dim, width)
        self.proj = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        grid = Grid(x.shape[2], x.shape[3], self.window, 0)
        queries = split(x.permute(0, 2, 3, 1), grid)  # (B, cells, n, C)
        far = F.adaptive_avg_pool2d(x, self._pooled(x.shape[2], x.shape[3])).flatten(2).transpose(1, 2)
        candidates = torch.cat([queries, far.unsqueeze(1).expand(-1, queries.shape[1], -1, -1)], dim=2)
        seen = F.pad(in_map(grid, 0, x.device)[:, 0], (0, far.shape[1]), value=True)  # (cells, 1, n + pooled)
        each = len(x) * queries.shape[2] * candidates.shape[2] * self.pointer.score.in_features
        done = [self.pick(queries[:, p], candidates[:, p], seen[p]) for p in parts(queries.shape[1], each)]
        return self.proj(merge(torch.cat(done, dim=1), grid)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]

    def pick(self, queries: Tensor, candidates: Tensor, seen: Tensor) -> Tensor:
        """Selects among the visible (cells, 1, m) of the candidates (B, cells, m, C): (B, cells, n, C)."""
        with exactly(queries):
            like = self.proj.weight.dtype
            queries, candidates = queries.to(like), candidates.to(like)
            logits = self.pointer(queries, candidates).masked_fill(~seen, MASKED)
            return pointed(logits, candidates) if self.training else copied(logits, candidates)

    def _pooled(self, height: int, width: int) -> tuple[int, int]:
        return min(self.pool, height), min(self.pool, width)
