"""g_a and g_s: residual groups at four strides, a parallel linear path, and a dense block at the image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.transform.config import STRIDE, TransformRow
from s2lic.transform.context import Context
from s2lic.transform.group import residual_group

PATCH = 3 * STRIDE * STRIDE
# Mapping latents of magnitude 10 to pixels in [0, 1] takes weights near 0.005. Scaled up by this factor, they have the
# same magnitude as all other weights, and the optimiser's steps suit them.
OUTPUT_SCALE = 1 / 64


class LinearAnalysis(nn.Module):
    """(B, 3, H, W) -> (B, M, H/16, W/16): a convolution of 16x16 at stride 16."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(PATCH, latent, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pixel_unshuffle(x, STRIDE))  # type: ignore[no-any-return]


class LinearSynthesis(nn.Module):
    """The transpose: (B, M, H/16, W/16) -> (B, 3, H, W), or the same unshuffled by u: (B, 3 u u, H/u, W/u)."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(latent, PATCH, 1, bias=False)

    def forward(self, y: Tensor, unshuffle: int = 1) -> Tensor:
        side = STRIDE // unshuffle
        by_phase = self.conv.weight.view(3, side, unshuffle, side, unshuffle, -1).permute(0, 2, 4, 1, 3, 5)
        return F.pixel_shuffle(F.conv2d(y, by_phase.reshape(PATCH, -1, 1, 1)) * OUTPUT_SCALE, side)


def principal_components(patches: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The principal components of picture patches.

    Args:
        patches: (N, 768). The mean is taken as zero: pictures are centred on mid-grey.
        count: How many components.

    Returns:
        Orthonormal directions of largest variance (count, 768), and their standard deviations (count,).
    """
    covariance = patches.double().T @ patches.double() / len(patches)
    variance, directions = torch.linalg.eigh(covariance)
    order = torch.argsort(variance, descending=True)[:count]
    return directions[:, order].T.float(), variance[order].clamp(min=0).sqrt().float()


class DenseBlock(nn.Module):
    """A densely connected block, (B, dim, H, W) -> (B, dim, H, W). It starts as the identity."""

    def __init__(self, dim: int, growth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(dim + i * growth, growth, 3, padding=1) for i in range(4))
        self.out = nn.Conv2d(dim + 4 * growth, dim, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for conv in self.convs:
            found = F.leaky_relu(conv(seen), 0.2)
            seen = torch.cat([seen.to(found.dtype), found], dim=1)  # autocast rounds it for the next convolution anyway
        return x + self.out(seen)  # type: ignore[no-any-return]


def first_down(pixel: int, width: int, unshuffle: int) -> nn.Conv2d:
    """The first downsampling: the published 5x5 at stride 2, or 3x3 on pixels unshuffled by 2, which covers 6x6."""
    if unshuffle == 1:
        return nn.Conv2d(pixel, width, 5, stride=2, padding=2)
    return nn.Conv2d(pixel, width, 3, padding=1)


class Analysis(nn.Module):
    """(B, 3, H, W) in [-0.5, 0.5], H and W multiples of 16 -> y (B, M, H/16, W/16) (S2LIC, figure 2).

    The last layers ignore autocast and run in float32: y reaches hundreds, where a step of bfloat16 is a whole unit.
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


# Strong channels of y have magnitudes of 10 and more. The nonlinear branch starts better on inputs near 1.
INPUT_SCALE = 0.1


def upsample(dim_in: int, dim_out: int) -> nn.ConvTranspose2d:
    """Doubles height and width; a kernel of 4 covers every output pixel equally often."""
    return nn.ConvTranspose2d(dim_in, dim_out, 4, stride=2, padding=1)


class Synthesis(nn.Module):
    """y_hat (B, M, h, w) -> x_hat (B, 3, 16h, 16w) around 0 (S2LIC, figure 2, mirrored).

    The linear path and the sum of the dense block ignore autocast and run in float32: they carry the last digits of the
    pixels.
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
        return F.pixel_shuffle(self.dense(pixels), self.unshuffle)
