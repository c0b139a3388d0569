"""Attention to a few cells of the map, which a learned gate selects (Gao et al. 2024, SeerAttention)."""

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
# Cells farther apart than this share one relative position.
REACH = 4


def pooled(x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Maximum, minimum and mean over the visible tokens of each cell: (B, h, cells, n, d) -> (B, h, cells, d)."""
    hidden, count = ~seen.unsqueeze(-1), seen.sum(-1, keepdim=True)
    largest, least = x.masked_fill(hidden, -torch.inf).amax(-2), x.masked_fill(hidden, torch.inf).amin(-2)
    return largest, least, x.masked_fill(hidden, 0).sum(-2) / count


def tile_targets(weights: Tensor, seen: Tensor) -> Tensor:
    """The targets of the gate: the largest attention weight of each pair of cells, normalised per row.

    Args:
        weights: Attention over the map, (B, h, cells, n, cells, n).
        seen: Which tokens lie in the map, (cells, n).

    Returns:
        (B, h, cells, cells).
    """
    largest = weights.masked_fill(~seen[:, :, None, None], 0).amax((3, 5))
    return largest / largest.sum(-1, keepdim=True)


def offset_index(rows: int, cols: int, device: torch.device) -> Tensor:
    """The index, in a table of (2 REACH + 1)^2, of the offset between each pair of cells: (cells, cells)."""
    at = torch.cartesian_prod(torch.arange(rows, device=device), torch.arange(cols, device=device))
    step = (at[None] - at[:, None]).clamp(-REACH, REACH) + REACH
    return step[..., 0] * (2 * REACH + 1) + step[..., 1]


def touching(rows: int, cols: int, device: torch.device) -> Tensor:
    """A mask (cells, cells) of each cell and its four neighbours, which are always selected."""
    at = torch.cartesian_prod(torch.arange(rows, device=device), torch.arange(cols, device=device))
    return (at[None] - at[:, None]).abs().sum(-1) <= 1


class SeerGate(nn.Module):
    """Attention to the `top` cells that the gate scores highest for each cell of queries, on (B, C, H, W).

    Training attends to all cells, so the gate does not influence the rest. A loss of its own trains the gate alone to
    predict where attention goes. Maps have at most `n_max` positions.
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
        """The parameters of the gate."""
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
        """The logits of the gate, (B, h, cells, cells), from the visible tokens of q and k (B, h, cells, n, d)."""
        with exactly(q):
            like = self.q_gate.dtype
            asking = pooled(q.to(like), seen)[2] @ self.q_gate
            asked = torch.cat(pooled(k.to(like), seen), dim=-1) @ self.k_gate
            rows, cols = (size // grid.window for size in grid.padded)
            return scaled_logits(asking, asked) + self.offsets[:, offset_index(rows, cols, q.device)]

    @torch.no_grad()
    def open_cells(self, q: Tensor, k: Tensor, seen: Tensor, grid: Grid) -> Tensor:
        """The selected cells, (B, h, cells, top): the cell itself and its neighbours, then the best by score."""
        rows, cols = (size // grid.window for size in grid.padded)
        scores = self.scores(q, k, seen, grid).masked_fill(touching(rows, cols, q.device), torch.inf)
        return best(scores, self.top)

    def _dense(self, q: Tensor, k: Tensor, v: Tensor, seen: Tensor, grid: Grid, context: Context | None) -> Tensor:
        """Attention to all cells. Its weights are the targets of the gate."""
        logits = scaled_logits(q.flatten(2, 3), k.flatten(2, 3))
        weights = weigh(logits, seen.flatten())
        if context is not None:
            tiles = weights.detach().unflatten(2, seen.shape).unflatten(4, seen.shape)
            context.losses.append(self._lesson(self.scores(q.detach(), k.detach(), seen, grid), tiles, seen))
        return (weights.to(v.dtype) @ v.flatten(2, 3)).unflatten(2, seen.shape)  # type: ignore[no-any-return]

    @staticmethod
    def _lesson(scores: Tensor, tiles: Tensor, seen: Tensor) -> Tensor:
        """The mean KL divergence from the targets to the softmax of the gate."""
        targets = tile_targets(tiles.to(scores.dtype), seen)
        apart = torch.special.xlogy(targets, targets) - targets * torch.log_softmax(scores, dim=-1)
        return apart.sum(-1).mean()  # type: ignore[no-any-return]
