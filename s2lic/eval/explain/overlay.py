"""Draws maps: as a heat map over the picture, in grey, and as a map of regions for the encoder."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

# From low to high: black, blue, magenta, orange, pale yellow.
RAMP = np.array([[0, 0, 0], [40, 20, 120], [190, 40, 110], [250, 140, 30], [255, 250, 190]], float)
BLUR = 8  # the relevance of single pixels is noisy
BRIGHT = 0.99
# The opacity of full heat, so that the picture stays visible, and the brightness of the picture.
COVER, DIM = 0.7, 0.6


def smoothed(x: Tensor) -> Tensor:
    """Box-filtered |x|, (H, W)."""
    return F.avg_pool2d(x.abs()[None, None], 2 * BLUR + 1, 1, BLUR, count_include_pad=False)[0, 0]


def shades(x: Tensor) -> NDArray[np.float64]:
    """Scales (H, W) to 0 to 1. The highest 1 % are 1."""
    values = x.double().cpu().numpy()
    top = float(np.quantile(values, BRIGHT))
    return np.zeros_like(values) if top <= 0 else np.clip(values / top, 0, 1)


def grey(x: Tensor) -> Image.Image:
    """The map (H, W) in grey; black for 0."""
    return Image.fromarray(np.round(255 * shades(x)).astype(np.uint8))


def overlay(picture: Image.Image, x: Tensor) -> Image.Image:
    """The picture in grey under the heat map."""
    share = shades(x)[..., None]
    steps = np.linspace(0, 1, len(RAMP))
    heat = np.stack([np.interp(share[..., 0], steps, RAMP[:, channel]) for channel in range(3)], axis=-1)
    under = np.asarray(picture.convert("L"), float)[..., None]
    return Image.fromarray(np.round((1 - COVER * share) * DIM * under + share * heat).clip(0, 255).astype(np.uint8))


def regions(x: Tensor) -> Image.Image:
    """A map of regions: mid-grey at the mean of x, black or white at the farthest value."""
    centred = x.double().cpu().numpy() - float(x.double().mean())
    reach = max(float(np.abs(centred).max()), 1e-30)
    return Image.fromarray(np.round(128 + 127 * centred / reach).astype(np.uint8))
