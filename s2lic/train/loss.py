"""R + lambda 255^2 MSE, weighted so that samples of high rate do not drown the rest."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from s2lic.entropy.quality import LAMBDA_MAX, LAMBDA_MIN, quality_lambda


def rd_loss(out: dict[str, Tensor], x: Tensor, levels: Tensor) -> dict[str, Tensor]:
    """The loss and its parts, means over the batch: bpp, z_bpp, psnr in dB (Balle et al. 2018, equation 3).

    What blocks want added, `block_loss`, is.
    """
    pixels = x.shape[2] * x.shape[3]
    mse = (out["x_hat"] - x).pow(2).flatten(1).mean(1)
    z_bpp, y_bpp = out["z_bits"] / pixels, out["y_bits"] / pixels
    lam = quality_lambda(levels).to(mse)
    weight = (lam / math.sqrt(LAMBDA_MIN * LAMBDA_MAX)).rsqrt()
    loss = (weight * (y_bpp + z_bpp + lam * 255**2 * mse)).mean() + out["block_loss"]
    psnr = -10 * torch.log10(mse.detach())
    return {
        "loss": loss,
        "bpp": (y_bpp + z_bpp).detach().mean(),
        "z_bpp": z_bpp.detach().mean(),
        "psnr": psnr.mean(),
    }
