"""ACGC: the context of a slice from the decoded slices, by a local and a global branch that gate each other.

The global branch is deformable attention across slices (Xia et al. 2022, Vision Transformer with Deformable Attention,
section 3.2).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.entropy.conv import Conv
from s2lic.entropy.exact.limits import GRID_MAX, OFFSET_REACH
from s2lic.kernels.deformable_attention import deformable_attention

# The bias of a head is a function of one number, computed in float64 in every slice but the first. Keep it small.
BIAS_HIDDEN = 16


def reference_points(height: int, width: int, like: Tensor) -> Tensor:
    """(points, 2): row and column of the cell centres of a regular grid of at most 16x16 cells."""
    rows, cols = (
        (torch.arange(g, dtype=like.dtype, device=like.device) + 0.5) * (size / g) - 0.5
        for size, g in ((height, min(height, GRID_MAX)), (width, min(width, GRID_MAX)))
    )
    return torch.stack(torch.meshgrid(rows, cols, indexing="ij"), dim=-1).flatten(0, 1)


class AxisBias(nn.Module):
    """Position bias of one axis: an MLP of the log-spaced distance from each line to each key, one value per head."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(1, BIAS_HIDDEN)
        self.fc2 = nn.Linear(BIAS_HIDDEN, heads, bias=False)
        nn.init.zeros_(self.fc2.weight)

    def forward(self, size: int, keys: Tensor) -> Tensor:
        """Key coordinates (B, G) -> (B, heads, size, G)."""
        lines = torch.arange(size, dtype=keys.dtype, device=keys.device)
        delta = keys[:, None, :] - lines[None, :, None]
        spaced = torch.sign(delta) * torch.log1p(delta.abs())
        bias: Tensor = self.fc2(F.gelu(self.fc1(spaced.unsqueeze(-1))))
        return bias.permute(0, 3, 1, 2).contiguous()


class DeformableAttention(nn.Module):
    """(B, S, H, W) decoded slices -> (B, dim, H, W).

    The position bias is a sum of a row part and a column part: (H + W) x G evaluations instead of H x W x G.
    """

    def __init__(self, source: int, dim: int, head_width: int) -> None:
        super().__init__()
        self.heads = max(dim // head_width, 1)
        self.to_q = nn.Conv2d(source, dim, 1)
        self.to_kv = nn.Linear(source, 2 * dim)
        self.spread = Conv(dim, dim, 5, groups=dim)
        self.to_offset = nn.Conv2d(dim, 2, 1, bias=False)
        self.row_bias, self.col_bias = AxisBias(self.heads), AxisBias(self.heads)
        nn.init.normal_(self.to_offset.weight, std=0.01)

    def points(self, q: Tensor) -> Tensor:
        """(B, G, 2): the reference grid plus offsets of at most `OFFSET_REACH` grid cells."""
        height, width = q.shape[2:]
        grid = (min(height, GRID_MAX), min(width, GRID_MAX))
        pooled = F.gelu(F.adaptive_avg_pool2d(self.spread(q), grid))
        offset = torch.tanh(self.to_offset(pooled)).flatten(2).transpose(1, 2)
        cell = offset.new_tensor([height / grid[0], width / grid[1]])
        return reference_points(height, width, offset) + offset * cell * OFFSET_REACH

    def forward(self, x: Tensor) -> Tensor:
        q = self.to_q(x)
        points = self.points(q).to(x.dtype)
        rows, cols = self.row_bias(q.shape[2], points[..., 0]), self.col_bias(q.shape[3], points[..., 1])
        return deformable_attention(q, x, points, self.to_kv, rows, cols)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Gate(nn.Module):
    """1x1 conv, norm, GELU, 1x1 conv, sigmoid: a map in (0, 1)."""

    def __init__(self, dim: int, out: int) -> None:
        super().__init__()
        hidden = max(dim // 4, 8)
        self.fc1 = nn.Conv2d(dim, hidden, 1)
        self.norm = ChannelNorm(hidden)
        self.fc2 = nn.Conv2d(hidden, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.norm(self.fc1(x)))).sigmoid()  # type: ignore[no-any-return]


class Depthwise(nn.Module):
    """3x3 depth-wise, then 1x1."""

    def __init__(self, source: int, dim: int) -> None:
        super().__init__()
        self.spread = Conv(source, source, 3, groups=source)
        self.mix = nn.Conv2d(source, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(F.gelu(self.spread(x)))  # type: ignore[no-any-return]


class AdjacentContext(nn.Module):
    """AC: conv3x3-GELU-conv3x3-GELU plus a depth-wise branch (S2LIC, section III-C)."""

    def __init__(self, source: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.conv1 = Conv(source, hidden, 3)
        self.conv2 = Conv(hidden, dim, 3)
        self.depthwise = Depthwise(source, dim)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.conv2(F.gelu(self.conv1(x)))) + self.depthwise(x)  # type: ignore[no-any-return]


class GlobalContext(nn.Module):
    """AG: deformable attention, conv5x5 and a 1x1 to the width of the slice, plus a depth-wise branch."""

    def __init__(self, source: int, attention: int, head_width: int, dim: int) -> None:
        super().__init__()
        self.attention = DeformableAttention(source, attention, head_width)
        self.conv = Conv(attention, attention, 5)
        self.mix = nn.Conv2d(attention, dim, 1)
        self.depthwise = Depthwise(source, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(F.gelu(self.conv(self.attention(x)))) + self.depthwise(x)  # type: ignore[no-any-return]


class Acgc(nn.Module):
    """Decoded slices (B, S, h, w) -> context (B, dim, h, w): AC x C_Map(AG) + AG x S_Map(AC).

    The channel map comes from the global branch (average pool over the tile), the spatial map from the local one.
    """

    def __init__(self, source: int, dim: int, hidden: int, attention: int, head_width: int) -> None:
        super().__init__()
        self.local = AdjacentContext(source, hidden, dim)
        self.globally = GlobalContext(source, attention, head_width, dim)
        self.spatial_map = Gate(dim, 1)
        self.channel_map = Gate(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        near, far = self.local(x), self.globally(x)
        channel = self.channel_map(far.mean((2, 3), keepdim=True))
        return near * channel + far * self.spatial_map(near)  # type: ignore[no-any-return]
