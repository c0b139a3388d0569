"""Attention to the tokens of the best-scoring chunks, split where content changes (Xiong et al. 2025, DHSA)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.kernels.gather import parts
from s2lic.kernels.listed_attention import listed_attention
from s2lic.transform.attention.boundary import LOGIT_MIN, SPAN, Boundary, focal_loss, labels
from s2lic.transform.attention.curve import curve_order
from s2lic.transform.attention.heads import join_heads, split_heads
from s2lic.transform.attention.listed import best, check_places, dense_weights, exactly
from s2lic.transform.context import Context
from s2lic.transform.window import extend

BUDGET = 512
BLOCK = 64
CHUNK = 32
# Minimum distance of boundaries: of those from cosines, and of learned ones.
APART, LEARNED_APART = 4, 8


def changes(keys: Tensor) -> Tensor:
    """1 - cos of the means of the SPAN tokens before and after each gap: (B, N, C) -> (B, N - 1)."""
    count = keys.shape[1]
    around = F.pad(keys, (0, 0, SPAN, SPAN - 1))
    sums = torch.stack([around[:, i : i + count + SPAN] for i in range(SPAN)]).sum(
        0
    )  # a cosine does not depend on the scale
    return 1 - F.cosine_similarity(sums[:, 1:count], sums[:, SPAN + 1 :], dim=-1)


def peaks(scores: Tensor, apart: int) -> Tensor:
    """A mask of the maxima of (B, n) within a distance of `apart`. Of equal values the first counts."""
    around = F.pad(scores, (apart, apart), value=-torch.inf)
    found = torch.ones_like(scores, dtype=torch.bool)
    for step in range(1, apart + 1):
        before = around[:, apart - step : apart - step + scores.shape[1]]
        after = around[:, apart + step : apart + step + scores.shape[1]]
        found &= (scores > before) & (scores >= after)
    return found


def chunks_of(scores: Tensor, count: int, apart: int = APART, least: float = -torch.inf) -> Tensor:
    """The index of each token's chunk, (B, N), from the scores of the gaps, (B, N - 1).

    There are at most `count` chunks, split at the highest peaks above `least`.
    """
    found = peaks(scores, apart) & (scores > least)
    strongest = best(scores.masked_fill(~found, -torch.inf), count - 1)
    cuts = torch.zeros_like(found).scatter(1, strongest, True) & found
    return F.pad(cuts.long().cumsum(1), (1, 0))


def summed(tokens: Tensor, lengths: Tensor) -> Tensor:
    """mean * sqrt(length) of consecutive runs of tokens (B, N, C), with lengths (B, runs) that sum to N: (B, runs, C).

    With this scale, the product of a chunk and a query has the same variance at every length.
    """
    flat = torch.segment_reduce(tokens.flatten(0, 1), "sum", lengths=lengths.flatten(), axis=0, unsafe=True)
    return flat.view(*lengths.shape, -1) / lengths.clamp(min=1).sqrt().unsqueeze(-1)


class Dhsa(nn.Module):
    """Blocks of 64 consecutive tokens attend to themselves and to `budget` tokens of the best-scoring chunks.

    Works on (B, C, H, W) along the Hilbert curve, with at most `n_max` positions. All heads share the selection. With
    boundary "learned", a predictor places the boundaries; its loss trains nothing else.
    """

    in_context = True
    n_max = 2**13

    def __init__(self, dim: int, heads: int = 1, budget: int = BUDGET, boundary: str = "cosine") -> None:
        super().__init__()
        self.heads, self.budget = heads, budget
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim, bias=False)
        self.boundary = Boundary(dim, heads) if boundary == "learned" else None

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        check_places("dhsa", x.shape[2], x.shape[3], self.n_max)
        order = curve_order(x.shape[2], x.shape[3], x.device)
        q, k, v = self.qkv(x.flatten(2).transpose(1, 2)[:, order]).chunk(3, dim=-1)
        index = self.chosen(q, k)
        if self.training and self.boundary is not None and context is not None:
            context.losses.append(self._lesson(self.boundary, q.detach(), k.detach()))
        blocks = extend(q.unsqueeze(1), 0, -len(order) % BLOCK).squeeze(1)
        q, k, v = (split_heads(t, self.heads) for t in (blocks, k, v))
        out = listed_attention(q.unflatten(2, (-1, BLOCK)), k.unsqueeze(3), v.unsqueeze(3), index.unsqueeze(1))
        out = self.proj(join_heads(out.flatten(2, 3))[:, : len(order)])
        return out[:, order.argsort()].transpose(1, 2).reshape(x.shape)  # type: ignore[no-any-return]

    @torch.no_grad()
    def chosen(self, q: Tensor, k: Tensor) -> Tensor:
        """The keys of each block, (B, blocks, keys): its own 64, then the best others, -1 for none. q, k: (B, N, C)."""
        q, k = q.to(self.qkv.weight.dtype), k.to(self.qkv.weight.dtype)
        with exactly(q):
            chunk = self.chunks(k)
            scores = self.scores(q, k, chunk)
        count, blocks = k.shape[1], scores.shape[1]
        own = torch.arange(blocks * BLOCK, device=q.device).view(1, blocks, BLOCK).expand(len(q), -1, -1)
        others = min(self.budget, max(0, count - (count - 1) % BLOCK - 1))
        listed = [self._others(scores[:, part], chunk, own[0, part, 0], others) for part in parts(blocks, count)]
        return torch.cat([own.masked_fill(own >= count, -1), torch.cat(listed, dim=1)], dim=2)

    def chunks(self, k: Tensor) -> Tensor:
        """The index of each key's chunk: (B, N, C) -> (B, N)."""
        most = -(-k.shape[1] // CHUNK)
        if self.boundary is None:
            return chunks_of(changes(k), most)
        return chunks_of(self.boundary(k), most, LEARNED_APART, LOGIT_MIN)

    def _lesson(self, boundary: Boundary, q: Tensor, k: Tensor) -> Tensor:
        """The loss of the predictor against the attention that k (B, N, C) receives from all of q."""
        like = boundary.fc1.weight.dtype
        with exactly(q):
            queries, keys = (split_heads(t.to(like), self.heads) for t in (q, k))
            drawn = [weights.sum((2, 3)).mean(1) for _, weights in dense_weights(queries.unsqueeze(3), keys)]
            mass = torch.stack(drawn).sum(0)
            return focal_loss(boundary(k.to(like)), labels(mass))

    @staticmethod
    def scores(q: Tensor, k: Tensor, chunk: Tensor) -> Tensor:
        """Scores (B, blocks, chunks): products of summed queries and summed keys, over all heads."""
        count = k.shape[1]
        sizes = torch.full((-(-count // BLOCK),), BLOCK, device=q.device)
        sizes[-1] -= -count % BLOCK
        longest = -(-count // CHUNK)
        lengths = torch.zeros(len(k), longest, dtype=torch.long, device=k.device)
        lengths.scatter_add_(1, chunk, torch.ones_like(chunk))
        return summed(q, sizes.expand(len(q), -1)) @ summed(k, lengths).transpose(1, 2)

    @staticmethod
    def _others(scores: Tensor, chunk: Tensor, first: Tensor, count: int) -> Tensor:
        """The `count` tokens outside each block whose chunks score highest, in the order of the curve."""
        by_token = scores.gather(2, chunk.unsqueeze(1).expand(-1, scores.shape[1], -1))
        at = torch.arange(chunk.shape[1], device=chunk.device)
        own = (at >= first.unsqueeze(1)) & (at < first.unsqueeze(1) + BLOCK)
        by_token = by_token.masked_fill(own, -torch.inf)
        found = best(by_token, count)
        return found.masked_fill(by_token.gather(2, found) == -torch.inf, -1)
