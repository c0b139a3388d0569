"""Implementations of masked attention: q (h, N, d), k and v (h, K, d) -> (h, N, d). Queries without keys get zeros."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from s2lic.kernels.listed_attention import listed_attention
from s2lic.lab.attnbench.masks import CELL, HALO, SHIFT, UNEVEN, WINDOW, Pattern
from s2lic.transform.attention.heads import scaled_logits, weigh
from s2lic.transform.blocks.halo import in_map, neighbourhoods
from s2lic.transform.window import Grid, mask, merge, split

Size = tuple[int, int]
Run = Callable[[Tensor, Tensor, Tensor, Pattern, Size], Tensor]
QUERIES, KEYS = 1024, 4096
# Tokens per cell of equal visibility, and the largest distance in cells at which a cell sees another.
ALIKE, REACH = {"even cells": CELL, "uneven cells": min(UNEVEN)}, 4


@dataclass(frozen=True)
class Part:
    """Attention to a part of the keys: maximum logit (h, N, 1), sum of weights, weighted sum of values."""

    largest: Tensor
    total: Tensor
    values: Tensor

    def joined(self, other: Part) -> Part:
        """Attention to both sets of keys. One set may be hidden from all queries."""
        largest = torch.maximum(self.largest, other.largest)
        base = torch.where(largest.isfinite(), largest, 0.0)
        a, b = torch.exp(self.largest - base), torch.exp(other.largest - base)
        return Part(largest, self.total * a + other.total * b, self.values * a + other.values * b)

    def result(self) -> Tensor:
        return torch.where(self.total > 0, self.values / self.total.clamp(min=1e-30), 0.0)


def part(q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Part:
    """Attention to these keys alone, with the mask `seen` (N, K)."""
    logits = scaled_logits(q, k).masked_fill(~seen, -torch.inf)
    largest = logits.amax(-1, keepdim=True)
    weights = torch.exp(logits - torch.where(largest.isfinite(), largest, 0.0))
    return Part(largest, weights.sum(-1, keepdim=True), weights @ v)


def dense(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern, size: Size) -> Tensor:
    """The whole matrix, in float64 the reference for the others."""
    return part(q, k, v, pattern.matrix(*size)).result()


def fused(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern, size: Size) -> Tensor:
    """torch's scaled_dot_product_attention with a dense mask."""
    return F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=pattern.matrix(*size))[0]


def streamed(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern, size: Size) -> Tensor:
    """Tiles of the matrix in sequence, so that memory does not grow with the square of the tokens."""
    out = []
    for rows in torch.arange(q.shape[1]).split(QUERIES):
        parts: list[Part] = []
        for keys in torch.arange(k.shape[1]).split(KEYS):
            seen = pattern.sees(rows[:, None], keys[None], *size)
            now = part(q[:, rows], k[:, keys], v[:, keys], seen)
            parts = [parts[0].joined(now)] if parts else [now]
        out.append(parts[0].result())
    return torch.cat(out, 1)


def windowed(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern, size: Size) -> Tensor:
    """The windows of the codec: split, attend, merge."""
    grid = Grid(*size, WINDOW, SHIFT if pattern.key == "shifted window" else 0)
    parts = (split(t.unflatten(1, size), grid) for t in (q, k, v))
    qw, kw, vw = parts
    logits = scaled_logits(qw, kw)
    if grid.needs_mask:
        logits = logits + mask(grid, q.device)[:, 0].to(q.dtype)
    return merge(torch.softmax(logits, -1) @ vw, grid).flatten(1, 2)


def neighbouring(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern, size: Size) -> Tensor:
    """The blocks of the codec with a margin around them."""
    halo, grid = HALO if pattern.key == "halo" else 0, Grid(*size, WINDOW, 0)
    around = [neighbourhoods(t.unflatten(1, size), grid, halo) for t in (k, v)]
    weights = weigh(scaled_logits(split(q.unflatten(1, size), grid), around[0]), in_map(grid, halo, q.device)[:, 0])
    return merge(weights @ around[1], grid).flatten(1, 2)


def listing(pattern: Pattern, count: int, size: Size) -> Tensor:
    """The cells of keys that each cell of `count` tokens sees, (cells, K), padded with -1."""
    cells = torch.arange(-(-size[0] * size[1] // count))[:, None]
    others = cells + torch.arange(-REACH, REACH + 1)
    seen = pattern.sees(cells * count, others * count, *size) & (others >= 0) & (others < len(cells))
    return torch.where(seen, others, -1).sort(descending=True).values[:, : int(seen.sum(1).max())]


def listed(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern, size: Size) -> Tensor:
    """The listed attention of the codec's block-sparse mixers."""
    tokens, count = q.shape[1], ALIKE[pattern.key]
    q, k, v = (F.pad(t, (0, 0, 0, -tokens % count)).unflatten(1, (-1, count))[None] for t in (q, k, v))
    seen = torch.arange(k.shape[2] * count).view(-1, count) < tokens
    return listed_attention(q, k, v, listing(pattern, count, size)[None, None], seen)[0].flatten(1, 2)[:, :tokens]


@dataclass(frozen=True)
class Kernel:
    """A kernel. `patterns` lists those it supports, empty for all. `whole`: it computes hidden pairs too."""

    key: str
    run: Run
    patterns: tuple[str, ...] = ()
    whole: bool = False

    def supports(self, pattern: Pattern) -> bool:
        return not self.patterns or pattern.key in self.patterns


KERNELS = {
    row.key: row
    for row in (
        Kernel("dense", dense, whole=True),
        Kernel("fused", fused, whole=True),
        Kernel("streamed", streamed, whole=True),
        Kernel("windows", windowed, ("window", "shifted window")),
        Kernel("neighbourhoods", neighbouring, ("halo", "window")),
        Kernel("listed", listed, tuple(ALIKE)),
    )
}
