"""ACGC: what the decoded slices say about the next one, by a local and a global branch that gate each other."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.entropy.conv import Conv
from s2lic.entropy.deformable import DeformableAttention


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
    """AC: conv3x3-GELU-conv3x3-GELU beside a depth-wise branch (S2LIC, section III-C)."""

    def __init__(self, source: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.conv1 = Conv(source, hidden, 3)
        self.conv2 = Conv(hidden, dim, 3)
        self.depthwise = Depthwise(source, dim)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.conv2(F.gelu(self.conv1(x)))) + self.depthwise(x)  # type: ignore[no-any-return]


class GlobalContext(nn.Module):
    """AG: deformable attention, conv5x5, a 1x1 to the slice's width, beside a depth-wise branch."""

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
