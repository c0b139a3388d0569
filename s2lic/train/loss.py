"""The loss R + lambda D, weighted so that samples of high rate do not dominate. D depends on the tune."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from s2lic.coding.ssimulacra2 import distance
from s2lic.entropy.quality import LAMBDA_MAX, LAMBDA_MIN, quality_lambda


@dataclass(frozen=True)
class Mix:
    """Weights of the terms of D: 255^2 MSE, 1 - MS-SSIM, and SSIMULACRA2's sum before its power.

    The perceptual terms are scaled so that the same lambda gives about the same rate with each of them.
    """

    mse: float
    ms_ssim: float = 0.0
    ssimulacra2: float = 0.0


MIXES = {"psnr": Mix(1.0), "visual": Mix(0.02, ms_ssim=0.5 * 1250, ssimulacra2=0.5 * 1.7)}


def rd_loss(out: dict[str, Tensor], x: Tensor, levels: Tensor, tune: str = "psnr") -> dict[str, Tensor]:
    """The loss and its parts as means over the batch: bpp, z_bpp, distortion, psnr in dB (Balle et al. 2018, eq. 3).

    Args:
        out: `x_hat` (B, 3, H, W), bits per picture `y_bits` and `z_bits` (B,), and `block_loss`, which is added.
        x: the originals, (B, 3, H, W) in [0, 1].
        levels: the quality of each picture, (B,) in 0..10000.
        tune: a key of MIXES.
    """
    pixels = x.shape[2] * x.shape[3]
    mse = (out["x_hat"] - x).pow(2).flatten(1).mean(1)
    z_bpp, y_bpp = out["z_bits"] / pixels, out["y_bits"] / pixels
    lam = quality_lambda(levels).to(mse)
    weight = (lam / math.sqrt(LAMBDA_MIN * LAMBDA_MAX)).rsqrt()
    error = distortion(MIXES[tune], out["x_hat"], x, mse)
    loss = (weight * (y_bpp + z_bpp + lam * error)).mean() + out["block_loss"]
    psnr = -10 * torch.log10(mse.detach())
    return {
        "loss": loss,
        "bpp": (y_bpp + z_bpp).detach().mean(),
        "z_bpp": z_bpp.detach().mean(),
        "distortion": error.detach().mean(),
        "psnr": psnr.mean(),
    }


def distortion(mix: Mix, x_hat: Tensor, x: Tensor, mse: Tensor) -> Tensor:
    """D of each picture, (B,); `mse` is that of pixels in [0, 1], (B,)."""
    total = mix.mse * 255**2 * mse
    if mix.ms_ssim:
        from pytorch_msssim import ms_ssim

        total = total + mix.ms_ssim * (1 - ms_ssim(x_hat, x, data_range=1.0, size_average=False))
    if mix.ssimulacra2:
        total = total + mix.ssimulacra2 * distance(x, x_hat)
    return total
