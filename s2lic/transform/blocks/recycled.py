"""Attention to the keys that an earlier layer selected (Xu et al. 2024, Recycled Attention)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.kernels.listed_attention import listed_attention
from s2lic.transform.attention.heads import join_heads, split_heads
from s2lic.transform.attention.listed import best, check_places, dense_weights, exactly
from s2lic.transform.blocks.halo import in_map
from s2lic.transform.context import Context
from s2lic.transform.window import Grid, merge, split

KEYS = 256
PERIOD = 3
INDEX, QUERIES = "recycled keys", "recycled queries"


def own_places(grid: Grid, device: torch.device) -> Tensor:
    """The flat index of each position of each cell, (cells, n); -1 outside the map."""
    places = torch.arange(grid.height * grid.width, device=device, dtype=torch.float64)
    cells = split(places.view(1, grid.height, grid.width, 1), grid)[0, :, :, 0]
    return cells.where(in_map(grid, 0, device).flatten(1), -1).long()


def places_outside(grid: Grid) -> int:
    """The largest number of positions outside a cell; the last cell is the smallest."""
    least = ((grid.height - 1) % grid.window + 1) * ((grid.width - 1) % grid.window + 1)
    return grid.height * grid.width - least


class Recycled(nn.Module):
    """Attention to the whole map in full steps, and to the keys that these selected in all others, on (B, C, H, W).

    Steps 0, `period`, ... are full. For each cell of queries, a full step keeps the `keys` positions outside it with
    the most weight; the steps after it attend to these and to their own cell. With a `threshold`, every step but the
    first is full for a picture if the mean cosine of its queries to those of its last full step is below it.

    Args:
        dim: Channels C.
        heads: Attention heads.
        window: Height and width of a cell.
        step: The number of the block in its group.
        keys: Positions that a full step keeps for each cell.
        period: Steps from one full step to the next.
        threshold: The cosine below which a step is full; None for the fixed period.

    Raises:
        MapTooLargeError: The map has more than `n_max` positions.
    """

    in_context = True
    n_max = 2**13

    def __init__(
        self,
        dim: int,
        heads: int = 1,
        window: int = 8,
        step: int = 0,
        keys: int = KEYS,
        period: int = PERIOD,
        threshold: float | None = None,
    ) -> None:
        super().__init__()
        self.heads, self.window, self.keys = heads, window, keys
        self.planned_full, self.threshold = step % period == 0, threshold
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        check_places("recycled", x.shape[2], x.shape[3], self.n_max)
        grid, kept = Grid(x.shape[2], x.shape[3], self.window, 0), (context or Context()).kept
        q, k, v = self.qkv(x.permute(0, 2, 3, 1)).chunk(3, dim=-1)
        q = split_heads(split(q, grid), self.heads).transpose(1, 2)
        k, v = (split_heads(t.flatten(1, 2), self.heads) for t in (k, v))
        if INDEX not in kept or (self.threshold is None and self.planned_full):
            out, kept[INDEX] = self.full(q, k, v, grid)
            kept[QUERIES] = q
        else:
            out = self.reused(q, k, v, grid, kept[INDEX])
            if self.threshold is not None:
                out = self._refreshed(out, self.threshold, (q, k, v), grid, kept)
        return self.proj(merge(join_heads(out.transpose(1, 2)), grid)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]

    def full(self, q: Tensor, k: Tensor, v: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """Attention of q (B, h, cells, n, d) to all of k, v (B, h, N, d), and the keys to keep for each cell."""
        seen, outs, mass = in_map(grid, 0, q.device).flatten(1), [], []
        with exactly(q):
            for part, weights in dense_weights(q, k):
                outs.append((weights.flatten(2, 3).to(v.dtype) @ v).unflatten(2, weights.shape[2:4]))
                mass.append(weights.detach().masked_fill(~seen[part, :, None], 0).sum(3).mean(1))
        return torch.cat(outs, dim=2), self.heaviest(torch.cat(mass, dim=1), grid)

    def heaviest(self, mass: Tensor, grid: Grid) -> Tensor:
        """The positions outside each cell with the most weight, (B, cells, N) -> (B, cells, keys); -1 for none."""
        own = own_places(grid, mass.device)
        inside = torch.zeros(mass.shape[1:], dtype=torch.bool, device=mass.device)
        inside.scatter_(1, own.where(own >= 0, own[:, :1]), True)
        outside = mass.masked_fill(inside, -torch.inf)
        found = best(outside, min(self.keys, places_outside(grid)))
        return found.masked_fill(outside.gather(2, found) == -torch.inf, -1)

    def reused(self, q: Tensor, k: Tensor, v: Tensor, grid: Grid, index: Tensor) -> Tensor:
        """Attention of q (B, h, cells, n, d) to its own cell and the positions in `index` only."""
        own = own_places(grid, q.device).expand(len(q), -1, -1)
        return listed_attention(q, k.unsqueeze(3), v.unsqueeze(3), torch.cat([own, index], dim=2).unsqueeze(1))

    def _refreshed(
        self, out: Tensor, threshold: float, qkv: tuple[Tensor, Tensor, Tensor], grid: Grid, kept: dict[str, Tensor]
    ) -> Tensor:
        """The output, with a full step for the pictures whose queries have changed too much."""
        (q, k, v), seen = qkv, in_map(grid, 0, out.device).flatten(1)
        now, then = (join_heads(t.transpose(1, 2))[:, seen] for t in (q, kept[QUERIES]))
        rows = (F.cosine_similarity(now, then, dim=-1).mean(1) < threshold).nonzero().flatten()
        if len(rows) == 0:
            return out
        fresh, index = self.full(q[rows], k[rows], v[rows], grid)
        kept[INDEX] = kept[INDEX].index_copy(0, rows, index)
        kept[QUERIES] = kept[QUERIES].index_copy(0, rows, q[rows])
        return out.index_copy(0, rows, fresh)
