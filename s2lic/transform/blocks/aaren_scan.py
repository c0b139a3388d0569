"""Attention as a recurrence: a learned query attends to all previous positions (Feng et al. 2024, Aaren)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

DIRECTIONS = 4
State = tuple[Tensor, Tensor, Tensor]  # the largest logit, the sum of weights, the weighted sum of values


def combine(a: State, b: State) -> State:
    """Combines the states of two consecutive runs. The operation is associative."""
    largest = torch.maximum(a[0], b[0])
    left, right = torch.exp(a[0] - largest), torch.exp(b[0] - largest)
    return largest, a[1] * left + b[1] * right, a[2] * left.unsqueeze(-1) + b[2] * right.unsqueeze(-1)


def prefix_attention(logits: Tensor, values: Tensor) -> Tensor:
    """Softmax attention over every prefix: logits (..., L), values (..., L, d) -> (..., L, d).

    Computes all prefixes in log2(L) parallel steps (Hillis and Steele).
    """
    state: State = (logits, torch.ones_like(logits), values)
    step, length = 1, logits.shape[-1]
    while step < length:
        later = combine((state[0][..., :-step], state[1][..., :-step], state[2][..., :-step, :]),
                        (state[0][..., step:], state[1][..., step:], state[2][..., step:, :]))  # fmt: skip
        state = (
            torch.cat([state[0][..., :step], later[0]], -1),
            torch.cat([state[1][..., :step], later[1]], -1),
            torch.cat([state[2][..., :step, :], later[2]], -2),
        )
        step *= 2
    return state[2] / state[1].unsqueeze(-1)


class AarenScan(nn.Module):
    """Scans along rows and columns in both directions, each for a quarter of the heads, on (B, C, H, W).

    Each row or column is a scan of its own. The query is a parameter of its head, not a projection of the input. There
    are at least four heads.
    """

    def __init__(self, dim: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads if heads % DIRECTIONS == 0 else heads * DIRECTIONS
        self.kv = nn.Linear(dim, 2 * dim, bias=False)
        self.query = nn.Parameter(torch.randn(self.heads, dim // self.heads))
        self.proj = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        k, v = (t.unflatten(-1, (self.heads, -1)) for t in self.kv(x.permute(0, 2, 3, 1)).chunk(2, dim=-1))
        with torch.autocast(x.device.type, enabled=False):
            like = self.query.dtype
            k, v = k.to(like), v.to(like)
            logits = (k.movedim(3, 0).flatten(1, 3) @ self.query.unsqueeze(-1)).view(self.heads, *k.shape[:3])
            out = self._scanned(logits.movedim(0, 1) / math.sqrt(k.shape[-1]), v.movedim(3, 1))
        return self.proj(out.movedim(1, 3).flatten(3)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]

    def _scanned(self, logits: Tensor, v: Tensor) -> Tensor:
        """Scans logits (B, heads, H, W) and v (B, heads, H, W, d). Head i has direction i mod 4."""
        out = torch.empty_like(v)
        for direction in range(DIRECTIONS):
            part = slice(direction, None, DIRECTIONS)
            out[:, part] = _along(logits[:, part], v[:, part], direction // 2 == 1, direction % 2 == 1)
        return out


def _along(logits: Tensor, v: Tensor, columns: bool, back: bool) -> Tensor:
    if columns:
        logits, v = logits.transpose(2, 3), v.transpose(2, 3)
    if back:
        logits, v = logits.flip(3), v.flip(3)
    out = prefix_attention(logits, v)
    out = out.flip(3) if back else out
    return out.transpose(2, 3) if columns else out
