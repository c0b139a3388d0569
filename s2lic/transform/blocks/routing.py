"""Attention among tokens of similar content, clustered by online k-means (Roy et al. 2021, Routing Transformer)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.kernels.gather import gathered
from s2lic.kernels.listed_attention import listed_attention
from s2lic.transform.attention.heads import join_heads, scaled_logits, split_heads, weigh
from s2lic.transform.attention.listed import best, check_places, exactly
from s2lic.transform.blocks.halo import in_map
from s2lic.transform.context import Context
from s2lic.transform.window import Grid, merge, split

CLUSTERS = 64
DECAY = 0.999
COMMITMENT = 1e-4


def routed_attention(q: Tensor, k: Tensor, v: Tensor, asking: Tensor, asked: Tensor) -> Tensor:
    """Attention within clusters of q, k, v (B, h, N, d).

    A query in several clusters gets the mean of its outputs, a query in none gets 0. Clusters are added one at a time:
    without a fixed order, runs would differ in the last bit.

    Args:
        q: Queries.
        k: Keys.
        v: Values.
        asking: The queries of each cluster, (B, h, clusters, w).
        asked: The keys of each cluster, (B, h, clusters, w).
    """
    total, count = torch.zeros_like(v), torch.zeros_like(v[..., :1])
    out = listed_attention(gathered(q, asking), k.unsqueeze(3), v.unsqueeze(3), asked)
    for at, rows in zip(asking.unsqueeze(-1).unbind(2), out.unbind(2), strict=True):
        total.scatter_add_(2, at.expand_as(rows), rows)
        count.scatter_add_(2, at, torch.ones_like(rows[..., :1]))
    return total / count.clamp(min=1)


def moved(centroids: Tensor, tokens: Tensor, decay: float) -> Tensor:
    """Moves centroids (h, clusters, d) towards the means of their nearest tokens (h, N, d), by 1 - decay.

    The nearest centroid has the largest product. A centroid without tokens stays. Tokens that are not finite do not
    count: training can skip their step, but cannot undo this update.
    """
    finite = tokens.isfinite().all(-1, keepdim=True)
    tokens = tokens.where(finite, 0)
    nearest = best(tokens @ centroids.transpose(1, 2), 1).squeeze(-1)
    mine = F.one_hot(nearest, centroids.shape[1]).to(tokens.dtype) * finite
    count = mine.sum(1).unsqueeze(-1)
    mean = mine.transpose(1, 2) @ tokens / count.clamp(min=1)
    return torch.where(count > 0, torch.lerp(mean, centroids, decay), centroids)


def spread_out(tokens: Tensor, count: int) -> Tensor:
    """`count` of the tokens (h, N, d), far from each other: the first, then always the farthest from all selected."""
    found = tokens[:, :1]
    away = torch.full(tokens.shape[:2], torch.inf, dtype=tokens.dtype, device=tokens.device)
    for _ in range(count - 1):
        away = torch.minimum(away, (tokens - found[:, -1:]).square().sum(-1))
        farthest = best(away, 1).unsqueeze(-1).expand(-1, -1, tokens.shape[-1])
        found = torch.cat([found, tokens.gather(1, farthest)], dim=1)
    return found


class Routing(nn.Module):
    """Window attention for half of the heads, routed attention for the others, on (B, C, H, W).

    Each cluster takes its N / clusters nearest queries and keys. Centroids are buffers: training moves them by a
    running mean, and a commitment loss pulls queries and keys towards them. There are at least two heads, and at most
    `n_max` positions.
    """

    in_context = True
    n_max = 2**17
    centroids: Tensor

    def __init__(
        self, dim: int, heads: int = 2, window: int = 8, clusters: int = CLUSTERS, decay: float = DECAY
    ) -> None:
        super().__init__()
        self.window, self.clusters, self.decay = window, clusters, decay
        self.routed_heads = heads // 2 if heads % 2 == 0 else heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim, bias=False)
        self.register_buffer("centroids", torch.randn(self.routed_heads, clusters, dim // (2 * self.routed_heads)))

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        check_places("routing", x.shape[2], x.shape[3], self.n_max)
        near, far = (t.chunk(3, dim=-1) for t in self._halves(self.qkv(x.permute(0, 2, 3, 1))))
        q, k, v = (split_heads(t.flatten(1, 2), self.routed_heads) for t in far)
        routed = join_heads(self.routed(q, k, v, context)).view_as(near[0])
        out = torch.cat([self._local(*near), routed], dim=-1)
        return self.proj(out).permute(0, 3, 1, 2)  # type: ignore[no-any-return]

    @torch.no_grad()
    def init_centroids(self, x: Tensor) -> None:
        """Initialises the centroids from queries and keys of x (B, C, H, W). Random ones may share a cluster."""
        q, k, _ = self._halves(self.qkv(x.permute(0, 2, 3, 1)))[1].flatten(0, 2).chunk(3, dim=-1)
        tokens = split_heads(torch.cat([q, k]), self.routed_heads)
        self.centroids.copy_(spread_out(F.layer_norm(tokens, tokens.shape[-1:]), self.clusters))

    @staticmethod
    def _halves(qkv: Tensor) -> tuple[Tensor, Tensor]:
        """Splits (..., 3C) into (..., 3C / 2) of the local heads and of the routed heads."""
        near, far = qkv.unflatten(-1, (3, 2, -1)).unbind(-2)
        return near.flatten(-2), far.flatten(-2)

    def _local(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        grid = Grid(q.shape[1], q.shape[2], self.window, 0)
        q, k, v = (split_heads(split(t, grid), self.routed_heads) for t in (q, k, v))
        weights = weigh(scaled_logits(q, k), in_map(grid, 0, q.device))
        return merge(join_heads(weights.to(v.dtype) @ v), grid)

    def routed(self, q: Tensor, k: Tensor, v: Tensor, context: Context | None = None) -> Tensor:
        """Routed attention on (B, h, N, d), with queries and keys normalised over d."""
        q, k = (F.layer_norm(t, t.shape[-1:]) for t in (q, k))
        if self.training:
            self._learn(torch.cat([q, k], dim=2).transpose(0, 1).flatten(1, 2), context)
        return routed_attention(q, k, v, self.chosen(q), self.chosen(k))

    @torch.no_grad()
    def chosen(self, tokens: Tensor) -> Tensor:
        """The w = ceil(N / clusters) tokens nearest to each centroid: (B, h, N, d) -> (B, h, clusters, w)."""
        with exactly(tokens):
            scores = self.centroids @ tokens.to(self.centroids.dtype).transpose(-2, -1)
        return best(scores, -(-tokens.shape[2] // self.clusters))

    def _learn(self, tokens: Tensor, context: Context | None) -> None:
        """Moves the centroids towards tokens (h, B * 2N, d), and adds the commitment loss."""
        tokens = tokens.to(self.centroids.dtype)
        with torch.no_grad(), exactly(tokens):
            nearest = best(tokens @ self.centroids.transpose(1, 2), 1)
            target = self.centroids.gather(1, nearest.expand(-1, -1, tokens.shape[-1]))
            self.centroids.copy_(moved(self.centroids, tokens, self.decay))
        if context is not None:
            context.losses.append(COMMITMENT * (tokens - target).square().mean())
