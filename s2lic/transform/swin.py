"""SwinV2 blocks (Liu et al. 2022, Swin V2): cosine window attention, log-spaced bias, res-post-norm."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.transform.window import Grid, mask, merge, split

MAX_LOGIT_SCALE = math.log(100.0)
BIAS_HIDDEN = 64


def cosine_attention(q: Tensor, k: Tensor, v: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """softmax(cos(q, k) * scale + bias) v over the last two axes (..., tokens, width).

    The scale is multiplied onto the queries: they are far fewer than the logits.
    """
    logits = (F.normalize(q, dim=-1) * scale) @ F.normalize(k, dim=-1).transpose(-2, -1)
    return torch.softmax(logits + bias, dim=-1).to(v.dtype) @ v


def log_offsets(window: int) -> Tensor:
    """(2w-1, 2w-1, 2) relative offsets, log-spaced to [-1, 1] (Swin V2, equation 4, with its factor 8)."""
    steps = torch.arange(1 - window, window, dtype=torch.float32) * (8.0 / max(window - 1, 1))
    spaced = torch.sign(steps) * torch.log2(1.0 + steps.abs()) / math.log2(8.0)
    return torch.stack(torch.meshgrid(spaced, spaced, indexing="ij"), dim=-1)


def offset_index(window: int) -> Tensor:
    """(w^2, w^2) position in the flattened (2w-1, 2w-1) table of each query-key pair."""
    at = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij"))
    at = at.flatten(1)
    delta = at[:, :, None] - at[:, None, :] + window - 1
    return delta[0] * (2 * window - 1) + delta[1]


class PositionBias(nn.Module):
    """Continuous relative position bias: 16 sigmoid(MLP(log-spaced offset)), one value a head."""

    offsets: Tensor
    index: Tensor

    def __init__(self, window: int, heads: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(2, BIAS_HIDDEN)
        self.fc2 = nn.Linear(BIAS_HIDDEN, heads, bias=False)
        self.register_buffer("offsets", log_offsets(window), persistent=False)
        self.register_buffer("index", offset_index(window), persistent=False)

    def forward(self) -> Tensor:  # (heads, w^2, w^2)
        table = self.fc2(F.relu(self.fc1(self.offsets.to(self.fc1.weight.dtype))))
        return 16 * torch.sigmoid(table.flatten(0, 1)[self.index].permute(2, 0, 1))


class WindowAttention(nn.Module):
    """Multi-head cosine attention inside windows; (B, H, W, C) -> (B, H, W, C) at any H, W."""

    def __init__(self, dim: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.v_bias = nn.Parameter(torch.zeros(dim))
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10.0)))
        self.bias = PositionBias(window, heads)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        grid = Grid(x.shape[1], x.shape[2], self.window, self.shift)
        q, k, v = self._heads(split(x, grid))
        scale = self.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()
        bias = self.bias()
        if grid.needs_mask:
            bias = bias + mask(grid, x.device).to(bias.dtype)
        out = cosine_attention(q, k, v, scale, bias)
        return merge(self.proj(out.transpose(2, 3).flatten(3)), grid)

    def _heads(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, windows, n, C) -> q, k, v of (B, windows, heads, n, C / heads); keys carry no bias."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = F.linear(tokens, self.qkv.weight, bias)
        q, k, v = qkv.unflatten(3, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        return q, k, v


class Mlp(nn.Module):
    """fc1, GELU, fc2 on the last axis."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))  # type: ignore[no-any-return]


class SwinBlock(nn.Module):
    """One SwinV2 block on (B, C, H, W): x + LN(attn(x)), then x + LN(mlp(x)), inside with channels last."""

    def __init__(self, dim: int, heads: int, window: int, shift: int, mlp_ratio: int) -> None:
        super().__init__()
        self.attn = WindowAttention(dim, heads, window, shift)
        self.norm1 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, dim * mlp_ratio)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.permute(0, 2, 3, 1)
        tokens = tokens + self.norm1(self.attn(tokens))
        return (tokens + self.norm2(self.mlp(tokens))).permute(0, 3, 1, 2)  # type: ignore[no-any-return]
