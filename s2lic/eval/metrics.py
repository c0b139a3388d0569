"""Distortion metrics of two pictures, on 8-bit RGB."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from s2lic.errors import ExtraMissingError

if TYPE_CHECKING:
    from torch import Tensor

# Four halvings of an 11-tap window need more than 160 pixels.
MS_SSIM_SIDE = 161
# Five halvings to at least 8 pixels.
SSIMULACRA2_SIDE = 225


def psnr(a: Image.Image, b: Image.Image) -> float:
    """10 log10(255^2 / MSE) in dB; infinite for identical pictures."""
    difference = np.asarray(a.convert("RGB"), np.float64) - np.asarray(b.convert("RGB"), np.float64)
    error = float(np.mean(difference**2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ms_ssim(a: Image.Image, b: Image.Image) -> float | None:
    """MS-SSIM with data range 255 (Wang et al. 2003); None if a side is shorter than 161 pixels.

    Raises ExtraMissingError.
    """
    if min(a.size) < MS_SSIM_SIDE:
        return None
    try:
        import pytorch_msssim
    except ImportError as error:
        raise ExtraMissingError(
            "MS-SSIM needs pytorch_msssim, which is not installed: pip install 's2lic[torch]'"
        ) from error
    return float(pytorch_msssim.ms_ssim(as_batch(a), as_batch(b), data_range=255))


def ssimulacra2(a: Image.Image, b: Image.Image) -> float | None:
    """The score of SSIMULACRA2 2.1, 100 for identical pictures; None if a side is shorter than 225 pixels."""
    if min(a.size) < SSIMULACRA2_SIDE:
        return None
    import torch

    from s2lic.coding.ssimulacra2 import score

    with torch.inference_mode():
        return float(score(*(as_batch(image) / 255 for image in (a, b))))


def as_batch(image: Image.Image) -> Tensor:
    """RGB samples 0..255 as float32, (1, 3, H, W)."""
    import torch

    return torch.from_numpy(np.array(image.convert("RGB"), np.float32)).permute(2, 0, 1)[None]


def decibels(similarity: float) -> float:
    """MS-SSIM in decibels: -10 log10(1 - MS-SSIM)."""
    return math.inf if similarity >= 1 else -10 * math.log10(1 - similarity)
