"""Aggregated attention: near positions and pooled far cells in one softmax (Shi 2024, TransNeXt)."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from s2lic.transform.attention.listed import check_places
from s2lic.transform.blocks.halo import in_map, neighbourhoods
from s2lic.transform.window import MASKED, Grid

NEAR = 9
POOL = 8
BIAS_HIDDEN = 512
# Offsets are log-spaced in units of the stride-8 map of a training crop.
SPAN = 24
TEMPERATURE = 1 / 0.24


@lru_cache(maxsize=64)
def offsets(size: int, cells: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Log-spaced offsets along one axis from positions to the centres of pooled cells.

    Returns:
        The distinct offsets, and the index (size, cells) of each pair's offset. Cells are those of adaptive pooling.
    """
    middles = [(i * size // cells + -(-(i + 1) * size // cells) - 1) / 2 for i in range(cells)]
    apart = np.subtract.outer(np.arange(size), middles)
    distinct, index = np.unique(apart, return_inverse=True)
    spaced = np.sign(distinct) * np.log2(1 + 8 * np.abs(distinct) / SPAN) / math.log2(8)
    return spaced, index.reshape(size, cells)


class FarBias(nn.Module):
    """A bias per head for every pair of position and pooled cell: an MLP of the offset between them."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(2, BIAS_HIDDEN)
        self.fc2 = nn.Linear(BIAS_HIDDEN, heads)

    def forward(self, height: int, width: int, pool: tuple[int, int]) -> Tensor:
        """(heads, H W, cells)."""
        (rows, at_row), (cols, at_col) = offsets(height, pool[0]), offsets(width, pool[1])
        like = self.fc1.weight
        at = [torch.tensor(axis, dtype=like.dtype, device=like.device) for axis in (rows, cols)]
        table = self.fc2(F.relu(self.fc1(torch.stack(torch.meshgrid(*at, indexing="ij"), dim=-1))))
        row, col = torch.tensor(at_row, device=like.device), torch.tensor(at_col, device=like.device)
        pairs = table[row[:, None, :, None], col[None, :, None, :]]  # (H, W, rows, cols, heads)
        return pairs.permute(4, 0, 1, 2, 3).flatten(3).flatten(1, 2)  # type: ignore[no-any-return]


class AggAttention(nn.Module):
    """Cosine attention to 3x3 neighbours and to at most 8x8 pooled cells of the map, (B, C, H, W).

    Logits are scaled by the logarithm of the number of visible keys. Learned tokens add weights, without softmax, to
    the neighbours. Maps have at most `n_max` positions: each has 73 weights per head.
    """

    n_max = 2**17

    def __init__(self, dim: int, heads: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.reduce = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.query = nn.Parameter(0.02 * torch.randn(heads, 1, dim // heads))
        self.temperature = nn.Parameter(torch.full((heads, 1, 1), math.log(math.expm1(TEMPERATURE))))
        self.near_bias = nn.Parameter(torch.zeros(heads, 1, NEAR))
        self.far_bias = FarBias(heads)
        self.tokens = nn.Parameter(0.02 * torch.randn(heads, dim // heads, NEAR))
        self.tokens_bias = nn.Parameter(torch.zeros(heads, 1, NEAR))
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        check_places("agg_attention", x.shape[2], x.shape[3], self.n_max)
        last = x.permute(0, 2, 3, 1)
        q = F.normalize(self._split(self.q(last).flatten(1, 2)), dim=-1)
        (k, v), seen = self._near(last)
        far_k, far_v = self._far(x)
        near, far = self.weights(q, k, far_k, seen, self.far_bias(x.shape[2], x.shape[3], _pool(x)))
        near = (near + q @ self.tokens + self.tokens_bias).masked_fill(~seen, 0)
        out = (near.to(v.dtype).unsqueeze(-2) @ v).squeeze(-2) + far.to(far_v.dtype) @ far_v
        return self.proj(out.transpose(1, 2).flatten(2)).transpose(1, 2).view_as(x)  # type: ignore[no-any-return]

    def weights(self, q: Tensor, k: Tensor, far_k: Tensor, seen: Tensor, far_bias: Tensor) -> tuple[Tensor, Tensor]:
        """One softmax of q (B, heads, N, d) over near keys (B, heads, N, 9, d) and far keys (B, heads, cells, d)."""
        count = (seen.sum(-1, keepdim=True) + far_k.shape[2]).to(q.dtype)
        scaled = (q + self.query) * F.softplus(self.temperature) * count.log()
        near = (scaled.unsqueeze(-2) @ k.transpose(-2, -1)).squeeze(-2) + self.near_bias
        far = scaled @ far_k.transpose(-2, -1) + far_bias
        logits = torch.cat([near.masked_fill(~seen, MASKED), far], dim=-1)
        return tuple(torch.softmax(logits, dim=-1).split([NEAR, far.shape[-1]], dim=-1))

    def _near(self, last: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Keys and values of the neighbours, (B, heads, N, 9, d), and which lie in the map, (N, 9)."""
        grid = Grid(last.shape[1], last.shape[2], 1, 0)
        k, v = (self._split(neighbourhoods(t, grid, 1)) for t in self.kv(last).chunk(2, dim=-1))
        return (F.normalize(k, dim=-1), v), in_map(grid, 1, last.device)[:, 0, 0]

    def _far(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the pooled cells, (B, heads, cells, d)."""
        reduced = F.gelu(self.reduce(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        cells = self.norm(F.adaptive_avg_pool2d(reduced, _pool(x)).flatten(2).transpose(1, 2))
        k, v = (self._split(t) for t in self.kv(cells).chunk(2, dim=-1))
        return F.normalize(k, dim=-1), v

    def _split(self, x: Tensor) -> Tensor:
        """(B, n, ..., C) -> (B, heads, n, ..., d)."""
        return x.unflatten(-1, (self.heads, -1)).movedim(-2, 1)  # type: ignore[no-any-return]


def _pool(x: Tensor) -> tuple[int, int]:
    return min(POOL, x.shape[2]), min(POOL, x.shape[3])
