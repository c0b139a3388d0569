"""Between Pillow's pictures and tensors."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from s2lic.transform.row import STRIDE


def to_tensor(image: Image.Image) -> Tensor:
    """(1, 3, H, W) float32 in [0, 1]."""
    pixels = torch.from_numpy(np.array(image.convert("RGB")))
    return pixels.permute(2, 0, 1).unsqueeze(0).float() / 255


def to_image(pixels: Tensor, grey: bool) -> Image.Image:
    """A picture of (3, H, W) uint8; grey by Pillow's luma."""
    picture = Image.fromarray(pixels.permute(1, 2, 0).contiguous().cpu().numpy())
    return picture.convert("L") if grey else picture


def pad(x: Tensor) -> Tensor:
    """Repeats the right and bottom edges up to multiples of 16."""
    return F.pad(x, (0, -x.shape[3] % STRIDE, 0, -x.shape[2] % STRIDE), mode="replicate")
