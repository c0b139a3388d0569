"""Fidelity of decoded images: PSNR, MS-SSIM in dB, SSIMULACRA2."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from s2lic.coding.ssimulacra2 import score
from s2lic.coding.targets import MS_SSIM, PSNR, SSIMULACRA2, TargetKind

# A fidelity of pixels (B, C, H, W) uint8, with 1 or 3 channels: (original, decoded) -> value, higher is better.
Fidelity = Callable[[Tensor, Tensor], float]

# The approximate side of the windows of MS-SSIM and SSIMULACRA2 in pixels. A window takes about 1.5 GiB. On photographs
# of 1.6 megapixels, windows half as large changed SSIMULACRA2 by 0.4 points at most, and MS-SSIM by 0.03 dB.
WINDOW = 2048


def psnr(original: Tensor, decoded: Tensor) -> float:
    """PSNR in dB. Equal pixels count as an error far below one level."""
    parts = zip(original.split(256, 2), decoded.split(256, 2), strict=True)
    error = sum(float((a.float() - b.float()).square().sum(dtype=torch.float64)) for a, b in parts)
    return 10 * math.log10(255**2 / max(error / original.numel(), 1e-6))


def ms_ssim_db(original: Tensor, decoded: Tensor) -> float:
    """MS-SSIM in dB, -10 log10(1 - MS-SSIM), at most 60. The sides have at least 161 pixels."""
    from pytorch_msssim import ms_ssim

    def similarity(first: Tensor, second: Tensor) -> float:
        return float(ms_ssim(first.float(), second.float(), data_range=255))

    return -10 * math.log10(max(1 - _mean_over_windows(similarity, original, decoded), 1e-6))


def ssimulacra2(original: Tensor, decoded: Tensor) -> float:
    """SSIMULACRA2, the mean over the batch: 100 for equal pixels. Sides of less than 225 pixels have fewer scales."""

    def value(first: Tensor, second: Tensor) -> float:
        return float(score(*(pixels.expand(-1, 3, -1, -1).float() / 255 for pixels in (first, second))).mean())

    return _mean_over_windows(value, original, decoded)


def _mean_over_windows(value: Fidelity, original: Tensor, decoded: Tensor) -> float:
    """The mean of a value over windows of equal size, so that memory does not grow with the image."""
    windows = zip(_windows(original), _windows(decoded), strict=True)
    values = [value(first, second) for first, second in windows]
    return sum(values) / len(values)


def _windows(pixels: Tensor) -> list[Tensor]:
    down, across = (max(round(side / WINDOW), 1) for side in pixels.shape[2:])
    return [window for row in pixels.tensor_split(down, 2) for window in row.tensor_split(across, 3)]


FIDELITIES: dict[TargetKind, Fidelity] = {PSNR: psnr, MS_SSIM: ms_ssim_db, SSIMULACRA2: ssimulacra2}
