"""h_a and h_s: y to the side information z at stride 64, and z_hat to hyper features at stride 16."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.entropy.config import Z_STRIDE, EntropyRow
from s2lic.entropy.conv import Conv
from s2lic.entropy.quality import Modulation, Quality


def crop(x: Tensor, height: int, width: int) -> Tensor:
    """(B, C, H, W) -> (B, C, height, width), from the top left."""
    return x[:, :, :height, :width]


class HyperAnalysis(nn.Module):
    """y (B, M, h, w) -> z (B, Z, ceil(h/4), ceil(w/4)); y is padded to a multiple of 4 by repeating its edges."""

    def __init__(self, row: EntropyRow) -> None:
        super().__init__()
        n = row.hyper
        self.first = Conv(row.latent, n, 3)
        self.down1 = nn.Conv2d(n, n, 3, stride=2, padding=1)
        self.mix = Conv(n, n, 3)
        self.down2 = nn.Conv2d(n, n, 3, stride=2, padding=1)
        self.modulate = Modulation(row.anchors, n)
        self.last = Conv(n, row.side, 3)

    def forward(self, y: Tensor, quality: Quality) -> Tensor:
        pad_h, pad_w = -y.shape[2] % Z_STRIDE, -y.shape[3] % Z_STRIDE
        x = F.gelu(self.first(F.pad(y, (0, pad_w, 0, pad_h), mode="replicate")))
        x = F.gelu(self.down1(x))
        x = F.gelu(self.mix(x))
        x = F.gelu(self.down2(x))
        return self.last(self.modulate(x, quality))  # type: ignore[no-any-return]


class HyperSynthesis(nn.Module):
    """z_hat -> hyper features (B, 2M, h, w), cropped to y's size; slice i reads block i of 2 c_i channels."""

    def __init__(self, row: EntropyRow) -> None:
        super().__init__()
        n = row.hyper
        self.first = Conv(row.side, n, 3)
        self.up1 = nn.ConvTranspose2d(n, n, 4, stride=2, padding=1)
        self.mix = Conv(n, n, 3)
        self.up2 = nn.ConvTranspose2d(n, n, 4, stride=2, padding=1)
        self.modulate = Modulation(row.anchors, n)
        self.last = nn.Conv2d(n, 2 * row.latent, 1)

    def forward(self, z_hat: Tensor, quality: Quality, height: int, width: int) -> Tensor:
        x = F.gelu(self.first(z_hat))
        x = F.gelu(self.up1(x))
        x = F.gelu(self.mix(x))
        x = F.gelu(self.modulate(self.up2(x), quality))
        return crop(self.last(x), height, width)
