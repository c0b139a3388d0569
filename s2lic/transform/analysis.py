"""g_a: from a picture to the latent y at stride 16."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.transform.context import Context
from s2lic.transform.dense import DenseBlock
from s2lic.transform.group import residual_group
from s2lic.transform.row import TransformRow
from s2lic.transform.shortcut import LinearAnalysis


def first_down(pixel: int, width: int, unshuffle: int) -> nn.Conv2d:
    """To stride 2: the published 5x5/2, or 3x3 over pixels already unshuffled by 2 (which covers 6x6)."""
    if unshuffle == 1:
        return nn.Conv2d(pixel, width, 5, stride=2, padding=2)
    return nn.Conv2d(pixel, width, 3, padding=1)


class Analysis(nn.Module):
    """(B, 3, H, W) in [-0.5, 0.5], H and W multiples of 16 -> y (B, M, H/16, W/16) (S2LIC, figure 2).

    The last layers run in float32 whatever the autocast: y reaches hundreds, where bf16 steps are whole units.
    """

    def __init__(self, row: TransformRow) -> None:
        super().__init__()
        w1, w2, w3 = row.widths
        self.unshuffle = row.dense_unshuffle
        pixel = 3 * row.dense_unshuffle**2
        self.dense = DenseBlock(pixel, row.dense_growth)
        self.down = nn.ModuleList(
            [
                first_down(pixel, w1, row.dense_unshuffle),
                nn.Conv2d(w1, w2, 3, stride=2, padding=1),
                nn.Conv2d(w2, w3, 3, stride=2, padding=1),
            ]
        )
        self.groups = nn.ModuleList(residual_group(row, stage, row.cond) for stage in range(3))
        self.last = nn.Conv2d(w3, row.latent, 3, stride=2, padding=1)
        self.linear = LinearAnalysis(row.latent)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        features = self.dense(F.pixel_unshuffle(x, self.unshuffle))
        for down, group in zip(self.down, self.groups, strict=True):
            features = group(down(features), context)
        with torch.autocast(x.device.type, enabled=False):
            return self.last(features.to(x.dtype)) + self.linear(x)  # type: ignore[no-any-return]
