"""The distortion D of the loss R + lambda D, which depends on what weights are tuned for."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from s2lic.coding.ssimulacra2 import SIDE_MIN, distance

# MS-SSIM halves a picture four times and needs more than ten pixels then.
MS_SSIM_SIDE = 161


@dataclass(frozen=True)
class Mix:
    """Weights of the terms of D: 255^2 MSE, 1 - MS-SSIM, and SSIMULACRA2's sum before its power.

    The perceptual terms are scaled so that the same lambda gives about the same rate with each of them.
    """

    mse: float
    ms_ssim: float = 0.0
    ssimulacra2: float = 0.0

    def fits(self, side: int) -> bool:
        """Whether all terms are defined for pictures whose shorter side has so many pixels."""
        return side >= (MS_SSIM_SIDE if self.ms_ssim else SIDE_MIN if self.ssimulacra2 else 1)


MIXES = {"psnr": Mix(1.0), "visual": Mix(0.02, ms_ssim=0.5 * 1250, ssimulacra2=0.5 * 1.7)}


def distortion(mix: Mix, x_hat: Tensor, x: Tensor) -> Tensor:
    """D of each picture, (B,), for pixels (B, 3, H, W) in [0, 1]."""
    total = mix.mse * 255**2 * (x_hat - x).square().flatten(1).mean(1)
    if mix.ms_ssim:
        from pytorch_msssim import ms_ssim

        total = total + mix.ms_ssim * (1 - ms_ssim(x_hat, x, data_range=1.0, size_average=False))
    if mix.ssimulacra2:
        total = total + mix.ssimulacra2 * distance(x, x_hat)
    return total  # type: ignore[no-any-return]
