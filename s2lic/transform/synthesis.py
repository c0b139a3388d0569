"""g_s: from the corrected latent y_hat back to a picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.transform.context import Context
from s2lic.transform.dense import DenseBlock
from s2lic.transform.group import residual_group
from s2lic.transform.row import TransformRow
from s2lic.transform.shortcut import LinearSynthesis

# y has strong channels of some tens; the nonlinear branch starts better on inputs of order one.
INPUT_SCALE = 0.1


def upsample(dim_in: int, dim_out: int) -> nn.ConvTranspose2d:
    """Doubles height and width; a kernel of 4 covers every output pixel equally often."""
    return nn.ConvTranspose2d(dim_in, dim_out, 4, stride=2, padding=1)


class Synthesis(nn.Module):
    """y_hat (B, M, h, w) -> x_hat (B, 3, 16h, 16w) around 0 (S2LIC, figure 2, mirrored).

    The linear path runs in float32 whatever the autocast, and outside training the dense block too: they set the
    last digits of the picture.
    """

    def __init__(self, row: TransformRow) -> None:
        super().__init__()
        w1, w2, w3 = row.widths
        pixel = 3 * row.dense_unshuffle**2
        self.unshuffle = row.dense_unshuffle
        self.up = nn.ModuleList([upsample(row.latent, w3), upsample(w3, w2), upsample(w2, w1)])
        self.groups = nn.ModuleList(residual_group(row, stage) for stage in (2, 1, 0))
        self.last = nn.Conv2d(w1, pixel, 3, padding=1) if self.unshuffle == 2 else upsample(w1, pixel)
        self.dense = DenseBlock(pixel, row.dense_growth)
        self.linear = LinearSynthesis(row.latent)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, y_hat: Tensor, context: Context | None = None) -> Tensor:
        features = y_hat * INPUT_SCALE
        for up, group in zip(self.up, self.groups, strict=True):
            features = group(up(features), context)
        features = self.last(features)
        with torch.autocast(y_hat.device.type, enabled=False):
            pixels = features.to(y_hat.dtype) + self.linear(y_hat, self.unshuffle)
        if self.training:
            return F.pixel_shuffle(self.dense(pixels), self.unshuffle)
        with torch.autocast(y_hat.device.type, enabled=False):
            return F.pixel_shuffle(self.dense(pixels), self.unshuffle)
