"""Distances between two pictures, on 8-bit RGB."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from s2lic.errors import ExtraMissingError

# Four halvings of an 11-tap window need more than 160 pixels.
MS_SSIM_SIDE = 161


def psnr(a: Image.Image, b: Image.Image) -> float:
    """10 log10(255^2 / MSE) in dB; infinite for equal pictures."""
    difference = np.asarray(a.convert("RGB"), np.float64) - np.asarray(b.convert("RGB"), np.float64)
    error = float(np.mean(difference**2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ms_ssim(a: Image.Image, b: Image.Image) -> float | None:
    """MS-SSIM with data range 255 (Wang et al. 2003); None where a side has under 161 pixels.

    Raises ExtraMissingError.
    """
    if min(a.size) < MS_SSIM_SIDE:
        return None
    import torch

    try:
        import pytorch_msssim
    except ImportError as error:
        raise ExtraMissingError("MS-SSIM needs pytorch_msssim; install it with: pip install pytorch-msssim") from error
    x, y = (torch.from_numpy(np.array(i.convert("RGB"), np.float32)).permute(2, 0, 1)[None] for i in (a, b))
    return float(pytorch_msssim.ms_ssim(x, y, data_range=255))


def decibels(similarity: float) -> float:
    """MS-SSIM on the scale on which its curves are drawn: -10 log10(1 - MS-SSIM)."""
    return math.inf if similarity >= 1 else -10 * math.log10(1 - similarity)
