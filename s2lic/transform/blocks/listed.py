"""Attention over listed keys: what is not listed is never read, and the choice of a list is the same on every run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from s2lic.errors import MapTooLargeError
from s2lic.transform.blocks.heads import scaled_logits, weigh

# How many numbers one step gathers or weighs at a time, unless a single cell needs more.
PART = 2**24


def check_places(key: str, height: int, width: int, limit: int) -> None:
    """Raises MapTooLargeError for a map of more places than the block takes."""
    if height * width > limit:
        raise MapTooLargeError(
            f"'{key}' takes maps of up to {limit:,} places and this one has {height * width:,}: "
            "give Codec a smaller tile, or choose the block for stride 8 alone"
        )


@contextmanager
def exactly(x: Tensor) -> Iterator[None]:
    """Products in the precision that their operands have: no autocast, no TF32."""
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32
    matmul.allow_tf32 = False
    try:
        with torch.autocast(x.device.type, enabled=False):
            yield
    finally:
        matmul.allow_tf32 = before


def best(scores: Tensor, count: int) -> Tensor:
    """Indices of the largest of (..., n), the largest first; of equal ones the lowest index."""
    return scores.sort(dim=-1, descending=True, stable=True).indices[..., :count]


def parts(count: int, each: int) -> Iterator[slice]:
    """`count` things of `each` numbers in runs that stay below `PART` numbers."""
    step = max(1, PART // max(1, each))
    for first in range(0, count, step):
        yield slice(first, first + step)


def gathered(x: Tensor, index: Tensor) -> Tensor:
    """The rows of x (B, h, N, ...) that index (B, h, cells, K) names: (B, h, cells, K, ...)."""
    first = torch.arange(x.shape[0] * x.shape[1], device=x.device).view(*x.shape[:2], 1, 1) * x.shape[2]
    rows = x.flatten(0, 2).index_select(0, (first + index).flatten())
    return rows.view(*index.shape, *x.shape[3:])


def listed_attention(q: Tensor, k: Tensor, v: Tensor, index: Tensor, seen: Tensor | None = None) -> Tensor:
    """softmax(q k / sqrt(d)) v over the cells of keys that `index` lists for each cell of queries.

    q (B, h, cells, n, d); k, v (B, h, N, m, d); index (B, h or 1, cells, K), of which all but the first of a list may
    be -1 for none; seen (N, m), false for keys that nobody sees -> (B, h, cells, n, d).
    """
    index = index.expand(-1, q.shape[1], -1, -1)
    k, v = k.contiguous(), v.contiguous()
    each = q.shape[0] * q.shape[1] * index.shape[-1] * k.shape[3] * (2 * q.shape[4] + q.shape[3])
    done = [_attend(q[:, :, part], k, v, index[:, :, part], seen) for part in parts(q.shape[2], each)]
    return torch.cat(done, dim=2)


def _attend(q: Tensor, k: Tensor, v: Tensor, index: Tensor, seen: Tensor | None) -> Tensor:
    there = index >= 0
    index = torch.where(there, index, index[..., :1])
    shown = there.unsqueeze(-1) if seen is None else there.unsqueeze(-1) & seen[index]
    shown = shown.expand(*index.shape, k.shape[3]).flatten(3).unsqueeze(3)
    weights = weigh(scaled_logits(q, gathered(k, index).flatten(3, 4)), shown)
    return weights.to(v.dtype) @ gathered(v, index).flatten(3, 4)


def dense_weights(q: Tensor, k: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """softmax(q k / sqrt(d)) of q (B, h, cells, n, d) over k (B, h, N, d), some cells at a time: (B, h, some, n, N).

    With the slice of cells that they are.
    """
    each = q.shape[0] * q.shape[1] * q.shape[3] * k.shape[2]
    for part in parts(q.shape[2], each):
        some = q[:, :, part]
        yield part, torch.softmax(scaled_logits(some.flatten(2, 3), k), dim=-1).unflatten(2, some.shape[2:4])
