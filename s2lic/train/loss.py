"""The loss R + lambda D, weighted so that samples of high rate do not dominate. D depends on the tune."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from s2lic.coding.distortion import MIXES, distortion
from s2lic.entropy.quality import LAMBDA_MAX, LAMBDA_MIN, quality_lambda


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
    error = distortion(MIXES[tune], out["x_hat"], x)
    loss = (weight * (y_bpp + z_bpp + lam * error)).mean() + out["block_loss"]
    psnr = -10 * torch.log10(mse.detach())
    return {
        "loss": loss,
        "bpp": (y_bpp + z_bpp).detach().mean(),
        "z_bpp": z_bpp.detach().mean(),
        "distortion": error.detach().mean(),
        "psnr": psnr.mean(),
    }
