"""Distributed attention over ranks that hold a run of tokens each, simulated in one process. Counts all bytes sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from s2lic.lab.attnbench.kernels import Part, part
from s2lic.lab.attnbench.masks import Pattern

Size = tuple[int, int]


@dataclass
class Wire:
    """Counts the bytes sent from rank to rank."""

    sent: int = 0

    def send(self, x: Tensor) -> Tensor:
        self.sent += x.numel() * x.element_size()
        return x


def ring(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern, size: Size, ranks: int, wire: Wire) -> Tensor:
    """Ring attention: keys and values circulate, and each rank accumulates its result."""
    places = torch.arange(k.shape[1]).tensor_split(ranks)
    held = [(k[:, at], v[:, at], at) for at in places]
    queries = torch.arange(q.shape[1]).tensor_split(ranks)
    found: list[Part | None] = [None] * ranks
    for step in range(ranks):
        for rank, rows in enumerate(queries):
            keys, values, at = held[rank]
            now = part(q[:, rows], keys, values, pattern.sees(rows[:, None], at[None], *size))
            before = found[rank]
            found[rank] = now if before is None else before.joined(now)
        if step < ranks - 1:
            held = [(wire.send(keys), wire.send(values), at) for keys, values, at in held[1:] + held[:1]]
    return torch.cat([each.result() for each in found if each is not None], 1)


def gathered(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern, size: Size, ranks: int, wire: Wire) -> Tensor:
    """All-gather: every rank fetches all keys and values and attends for its own queries."""
    out = []
    owned = torch.arange(k.shape[1]).tensor_split(ranks)
    for rank, rows in enumerate(torch.arange(q.shape[1]).tensor_split(ranks)):
        whole = [
            torch.cat([t[:, at] if other == rank else wire.send(t[:, at]) for other, at in enumerate(owned)], 1)
            for t in (k, v)
        ]
        seen = pattern.sees(rows[:, None], torch.arange(k.shape[1])[None], *size)
        out.append(part(q[:, rows], whole[0], whole[1], seen).result())
    return torch.cat(out, 1)


def ulysses(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern, size: Size, ranks: int, wire: Wire) -> Tensor:
    """Ulysses: ranks exchange tokens for heads and back, so that each holds all tokens of some heads."""
    q, k, v = (_exchanged(t, ranks, wire) for t in (q, k, v))
    heads = torch.arange(q.shape[0]).tensor_split(ranks)
    out = torch.cat([part(q[at], k[at], v[at], pattern.matrix(*size)).result() for at in heads])
    return _exchanged(out, ranks, wire)


def _exchanged(x: Tensor, ranks: int, wire: Wire) -> Tensor:
    """Returns x (h, N, d) after sending every part that changes its rank."""
    rows = x.tensor_split(ranks, 0)
    tiles = [
        torch.cat([tile if a == b else wire.send(tile) for b, tile in enumerate(row.tensor_split(ranks, 1))], 1)
        for a, row in enumerate(rows)
    ]
    return torch.cat(tiles)


Scheme = Callable[[Tensor, Tensor, Tensor, Pattern, Size, int, Wire], Tensor]
SCHEMES: dict[str, Scheme] = {"ring": ring, "all-gather": gathered, "ulysses": ulysses}
