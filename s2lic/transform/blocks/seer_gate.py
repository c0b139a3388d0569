"""Attention to a few cells of the map, which a learned gate opens (Gao et al. 2024, SeerAttention)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from s2lic.kernels.listed_attention import listed_attention
from s2lic.transform.attention.heads import join_heads, scaled_logits, split_heads, weigh
from s2lic.transform.attention.listed import best, check_places, exactly
from s2lic.transform.blocks.halo import in_map
from s2lic.transform.context import Context
from s2lic.transform.window import Grid, merge, split

TOP = 8
GATE_WIDTH = 64
# Relative positions of cells farther apart than this are one and the same.
REACH = 4


def pooled(x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Largest, least and mean of what is seen of each cell: (B, h, cells, n, d), (cells, n) -> (B, h, cells, d)."""
    hidden, count = ~seen.unsqueeze(-1), seen.sum(-1, keepdim=True)
    largest, least = x.masked_fill(hidden, -torch.inf).amax(-2), x.masked_fill(hidden, torch.inf).amin(-2)
    return largest, least, x.masked_fill(hidden, 0).sum(-2) / count


def tile_targets(weights: Tensor, seen: Tensor) -> Tensor:
    """What the gate learns: the largest weight of each tile, rows made to sum to 1.

    weights (B, h, cells, n, cells, n) of attention over the map, seen (cells, n) -> (B, h, cells, cells).
    """
    largest = weights.masked_fill(~seen[:, :, None, None], 0).amax((3, 5))
    return largest / largest.sum(-1, keepdim=True)


def offset_index(rows: int, cols: int, device: torch.device) -> Tensor:
    """(cells, cells): the place in a table of (2 REACH + 1)^2 of the way from each cell of queries to each of keys."""
    at = torch.cartesian_prod(torch.arange(rows, device=device), torch.arange(cols, device=device))
    step = (at[None] - at[:, None]).clamp(-REACH, REACH) + REACH
    return step[..., 0] * (2 * REACH + 1) + step[..., 1]


def touching(rows: int, cols: int, device: torch.device) -> Tensor:
    """(cells, cells): a cell and the four that touch it, which are always open."""
    at = torch.cartesian_prod(torch.arange(rows, device=device), torch.arange(cols, device=device))
    return (at[None] - at[:, None]).abs().sum(-1) <= 1


class SeerGate(nn.Module):
    """softmax(q k / sqrt(d)) v over the `top` cells that the gate scores highest for a cell of queries; (B, C, H, W).

    In training all cells are open, so the gate never sways what the rest learns; it is itself taught, by a loss of its
    own that reaches nothing else, to tell where attention is. `n_max` places at most.
    """

    in_context = True
    n_max = 2**13

    def __init__(self, dim: int, heads: int = 1, window: int = 8, top: int = TOP, gate_width: int = GATE_WIDTH) -> None:
        super().__init__()
        self.heads, self.window, self.top = heads, window, top
        width = dim // heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.q_gate = nn.Parameter(width**-0.5 * torch.randn(heads, width, gate_width))
        self.k_gate = nn.Parameter((3 * width) ** -0.5 * torch.randn(heads, 3 * width, gate_width))
        self.offsets = nn.Parameter(torch.zeros(heads, (2 * REACH + 1) ** 2))
        self.proj = nn.Linear(dim, dim, bias=False)

    def gate(self) -> tuple[nn.Parameter, ...]:
        """What of the parameters is the gate's."""
        return self.q_gate, self.k_gate, self.offsets

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        check_places("seer_gate", x.shape[2], x.shape[3], self.n_max)
        grid = Grid(x.shape[2], x.shape[3], self.window, 0)
        cells = (split(t, grid) for t in self.qkv(x.permute(0, 2, 3, 1)).chunk(3, dim=-1))
        q, k, v = (split_heads(t, self.heads).transpose(1, 2) for t in cells)
        seen = in_map(grid, 0, x.device).flatten(1)
        if self.training:
            out = self._dense(q, k, v, seen, grid, context)
        else:
            out = listed_attention(q, k, v, self.open_cells(q, k, seen, grid), seen)
        return merge(self.proj(join_heads(out.transpose(1, 2))), grid).permute(0, 3, 1, 2)

    def scores(self, q: Tensor, k: Tensor, seen: Tensor, grid: Grid) -> Tensor:
        """(B, h, cells, cells): logits of the gate, of what is seen of q and k (B, h, cells, n, d)."""
        with exactly(q):
            like = self.q_gate.dtype
            asking = pooled(q.to(like), seen)[2] @ self.q_gate
            asked = torch.cat(pooled(k.to(like), seen), dim=-1) @ self.k_gate
            rows, cols = (size // grid.window for size in grid.padded)
            return scaled_logits(asking, asked) + self.offsets[:, offset_index(rows, cols, q.device)]

    @torch.no_grad()
    def open_cells(self, q: Tensor, k: Tensor, seen: Tensor, grid: Grid) -> Tensor:
        """(B, h, cells, top): a cell itself and those that touch it, then the best by score."""
        rows, cols = (size // grid.window for size in grid.padded)
        scores = self.scores(q, k, seen, grid).masked_fill(touching(rows, cols, q.device), torch.inf)
        return best(scores, self.top)

    def _dense(self, q: Tensor, k: Tensor, v: Tensor, seen: Tensor, grid: Grid, context: Context | None) -> Tensor:
        """Attention over all cells; what it looked at becomes the lesson of the gate."""
        logits = scaled_logits(q.flatten(2, 3), k.flatten(2, 3))
        weights = weigh(logits, seen.flatten())
        if context is not None:
            tiles = weights.detach().unflatten(2, seen.shape).unflatten(4, seen.shape)
            context.losses.append(self._lesson(self.scores(q.detach(), k.detach(), seen, grid), tiles, seen))
        return (weights.to(v.dtype) @ v.flatten(2, 3)).unflatten(2, seen.shape)  # type: ignore[no-any-return]

    @staticmethod
    def _lesson(scores: Tensor, tiles: Tensor, seen: Tensor) -> Tensor:
        """The mean divergence of the gate's softmax from the targets."""
        targets = tile_targets(tiles.to(scores.dtype), seen)
        apart = torch.special.xlogy(targets, targets) - targets * torch.log_softmax(scores, dim=-1)
        return apart.sum(-1).mean()  # type: ignore[no-any-return]
