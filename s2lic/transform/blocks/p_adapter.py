"""An adapter for a frozen attention, based on the graph of its weights (Wu et al. 2024, p-adapter)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.transform.attention.heads import join_heads, split_heads
from s2lic.transform.attention.rule import Rule, softmax_weights

REDUCTION = 8
P_START, P_MIN, P_MAX = 1.5, 1.0, 3.0
# Without it, equal nodes would have edges of infinite weight for p < 2.
NORM_MIN = 1e-3


def edge_weights(weights: Tensor, queries: Tensor, values: Tensor, p: Tensor | float) -> Tensor:
    """M_ij |sqrt(M_ij) (F_i - F_j)|^(p - 2), for weights M (..., n, m) and nodes F (..., n, w) and (..., m, w)."""
    lengths = queries.square().sum(-1).unsqueeze(-1) + values.square().sum(-1).unsqueeze(-2)
    apart = lengths - 2 * queries @ values.transpose(-2, -1)
    return weights * (weights * apart).clamp(min=NORM_MIN**2) ** ((p - 2) / 2)


def p_laplacian(weights: Tensor, queries: Tensor, values: Tensor, p: Tensor | float, mu: Tensor | float) -> Tensor:
    """One step of smoothing queries over the bipartite graph of queries and values: (..., n, w).

    The published code omits the query's own term on this graph. This one includes it.
    """
    edges = edge_weights(weights, queries, values, p)
    alpha = 1 / (edges.sum(-1, keepdim=True) + 2 * mu / p)
    return alpha * (edges @ values) + 2 * mu * alpha / p * queries


class Adapter(nn.Module):
    """The weights of an adapter. Its output starts at zero, so that a new adapter changes no bit."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        hidden = heads * -(-dim // (REDUCTION * heads))
        self.down, self.gate, self.up = nn.Linear(dim, hidden), nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.p = nn.Parameter(torch.tensor(P_START))
        self.mu = nn.Parameter(torch.zeros(()))
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)


class PAdapter(Rule):
    """Softmax attention plus up(GELU(gate(out)) * p_laplacian(...)), before the projection."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads, self.adapter = heads, Adapter(dim, heads)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        weights, _ = softmax_weights(q, k, bias)
        out, own = weights.to(v.dtype) @ v, self.adapter
        queries, values = (split_heads(own.down(join_heads(t)), self.heads) for t in (q, v))
        p, mu = own.p.clamp(P_MIN, P_MAX), 0.2 + 0.1 * torch.tanh(own.mu)
        with torch.autocast(q.device.type, enabled=False):  # differences of squares
            moved = p_laplacian(weights.to(p.dtype), queries.to(p.dtype), values.to(p.dtype), p, mu)
        change = own.up(F.gelu(own.gate(join_heads(out))) * join_heads(moved))
        return out + split_heads(change, self.heads)
