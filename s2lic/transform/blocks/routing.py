"""Attention among tokens of like content, found by k-means on the way (Roy et al. 2021, Routing Transformer)."""

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
    """Attention in each cluster between the queries and the keys that it took; all of q, k, v (B, h, N, d).

    asking, asked (B, h, clusters, w): tokens of a cluster. A query of several clusters gets the mean, one of none 0.
    One cluster is added at a time: additions in no fixed order would differ in the last bit from run to run.
    """
    total, count = torch.zeros_like(v), torch.zeros_like(v[..., :1])
    out = listed_attention(gathered(q, asking), k.unsqueeze(3), v.unsqueeze(3), asked)
    for at, rows in zip(asking.unsqueeze(-1).unbind(2), out.unbind(2), strict=True):
        total.scatter_add_(2, at.expand_as(rows), rows)
        count.scatter_add_(2, at, torch.ones_like(rows[..., :1]))
    return total / count.clamp(min=1)


def moved(centroids: Tensor, tokens: Tensor, decay: float) -> Tensor:
    """decay * centroids + (1 - decay) * the mean of the tokens nearest to each; one that has none stays.

    centroids (h, clusters, d), tokens (h, N, d); nearest is the largest product. Tokens that are not finite do not
    count: the guard can refuse their step, but it cannot take back what the forward pass did.
    """
    finite = tokens.isfinite().all(-1, keepdim=True)
    tokens = tokens.where(finite, 0)
    nearest = best(tokens @ centroids.transpose(1, 2), 1).squeeze(-1)
    mine = F.one_hot(nearest, centroids.shape[1]).to(tokens.dtype) * finite
    count = mine.sum(1).unsqueeze(-1)
    mean = mine.transpose(1, 2) @ tokens / count.clamp(min=1)
    return torch.where(count > 0, torch.lerp(mean, centroids, decay), centroids)


def spread_out(tokens: Tensor, count: int) -> Tensor:
    """`count` of the tokens (h, N, d) far from each other: the first, and then always the one farthest from all."""
    found = tokens[:, :1]
    away = torch.full(tokens.shape[:2], torch.inf, dtype=tokens.dtype, device=tokens.device)
    for _ in range(count - 1):
        away = torch.minimum(away, (tokens - found[:, -1:]).square().sum(-1))
        farthest = best(away, 1).unsqueeze(-1).expand(-1, -1, tokens.shape[-1])
        found = torch.cat([found, tokens.gather(1, farthest)], dim=1)
    return found


class Routing(nn.Module):
    """Half of the heads in windows, half routed: each cluster takes its N / clusters nearest queries and keys.

    (B, C, H, W); at least two heads. Centroids are buffers that move in training alone, with the running mean of
    what is nearest to them; a commitment loss draws queries and keys to their centroid. `n_max` places at most.
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
        """Takes the centroids from the queries and keys of x (B, C, H, W); at random they may share a cluster."""
        q, k, _ = self._halves(self.qkv(x.permute(0, 2, 3, 1)))[1].flatten(0, 2).chunk(3, dim=-1)
        tokens = split_heads(torch.cat([q, k]), self.routed_heads)
        self.centroids.copy_(spread_out(F.layer_norm(tokens, tokens.shape[-1:]), self.clusters))

    @staticmethod
    def _halves(qkv: Tensor) -> tuple[Tensor, Tensor]:
        """(..., 3C) -> (..., 3C / 2) of the local heads and of the routed ones."""
        near, far = qkv.unflatten(-1, (3, 2, -1)).unbind(-2)
        return near.flatten(-2), far.flatten(-2)

    def _local(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        grid = Grid(q.shape[1], q.shape[2], self.window, 0)
        q, k, v = (split_heads(split(t, grid), self.routed_heads) for t in (q, k, v))
        weights = weigh(scaled_logits(q, k), in_map(grid, 0, q.device))
        return merge(join_heads(weights.to(v.dtype) @ v), grid)

    def routed(self, q: Tensor, k: Tensor, v: Tensor, context: Context | None = None) -> Tensor:
        """(B, h, N, d); queries and keys normalised over d, without scale."""
        q, k = (F.layer_norm(t, t.shape[-1:]) for t in (q, k))
        if self.training:
            self._learn(torch.cat([q, k], dim=2).transpose(0, 1).flatten(1, 2), context)
        return routed_attention(q, k, v, self.chosen(q), self.chosen(k))

    @torch.no_grad()
    def chosen(self, tokens: Tensor) -> Tensor:
        """(B, h, N, d) -> (B, h, clusters, w): the w = N / clusters, rounded up, tokens nearest to each centroid."""
        with exactly(tokens):
            scores = self.centroids @ tokens.to(self.centroids.dtype).transpose(-2, -1)
        return best(scores, -(-tokens.shape[2] // self.clusters))

    def _learn(self, tokens: Tensor, context: Context | None) -> None:
        """One step of the centroids towards tokens (h, B * 2N, d), and the loss the other way."""
        tokens = tokens.to(self.centroids.dtype)
        with torch.no_grad(), exactly(tokens):
            nearest = best(tokens @ self.centroids.transpose(1, 2), 1)
            target = self.centroids.gather(1, nearest.expand(-1, -1, tokens.shape[-1]))
            self.centroids.copy_(moved(self.centroids, tokens, self.decay))
        if context is not None:
            context.losses.append(COMMITMENT * (tokens - target).square().mean())
