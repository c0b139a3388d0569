"""The linear path beside the nonlinear one: principal components of 16x16x3 patches, trainable."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.transform.row import STRIDE

PATCH = 3 * STRIDE * STRIDE
# Pixels of 0..1 from latents of some tens need weights near 0.005, which an optimiser with unit-sized
# steps tears apart; stored this much larger they move at the pace of all the others.
OUTPUT_SCALE = 1 / 64


class LinearAnalysis(nn.Module):
    """(B, 3, H, W) -> (B, M, H/16, W/16): a convolution of 16x16 at stride 16."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(PATCH, latent, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pixel_unshuffle(x, STRIDE))  # type: ignore[no-any-return]


class LinearSynthesis(nn.Module):
    """(B, M, H/16, W/16) -> (B, 3, H, W): its transpose, or (B, 3 u u, H/u, W/u), the same unshuffled by u."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(latent, PATCH, 1, bias=False)

    def forward(self, y: Tensor, unshuffle: int = 1) -> Tensor:
        side = STRIDE // unshuffle
        by_phase = self.conv.weight.view(3, side, unshuffle, side, unshuffle, -1).permute(0, 2, 4, 1, 3, 5)
        return F.pixel_shuffle(F.conv2d(y, by_phase.reshape(PATCH, -1, 1, 1)) * OUTPUT_SCALE, side)


def principal_components(patches: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Orthonormal directions (count, 768) of largest variance and their standard deviations (count,).

    patches: (N, 768), zero mean by convention (pictures centred on mid-grey).
    """
    covariance = patches.double().T @ patches.double() / len(patches)
    variance, directions = torch.linalg.eigh(covariance)
    order = torch.argsort(variance, descending=True)[:count]
    return directions[:, order].T.float(), variance[order].clamp(min=0).sqrt().float()
