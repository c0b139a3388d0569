"""8-bit RGB to 10-bit YCbCr 4:4:4 and back: BT.709, full range, every value rounded to the nearest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RED, BLUE = 0.2126, 0.0722
GREEN = 1 - RED - BLUE
PEAK = 1023
OFFSETS = np.array([0, 512, 512]).reshape(3, 1, 1)


def from_rgb(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """(H, W, 3) RGB -> (3, H, W) planes Y, Cb, Cr as ITU-T H.273 quantises them."""
    red, green, blue = np.moveaxis(rgb.astype(np.float64) / 255, -1, 0)
    luma = RED * red + GREEN * green + BLUE * blue
    planes = np.stack([luma, (blue - luma) / (2 - 2 * BLUE), (red - luma) / (2 - 2 * RED)])
    levels = np.rint(PEAK * planes + OFFSETS).clip(0, PEAK)
    return np.asarray(levels, np.uint16)


def to_rgb(planes: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """(3, H, W) planes -> (H, W, 3) RGB."""
    luma, cb, cr = (planes.astype(np.float64) - OFFSETS) / PEAK
    red, blue = luma + (2 - 2 * RED) * cr, luma + (2 - 2 * BLUE) * cb
    green = (luma - RED * red - BLUE * blue) / GREEN
    levels = np.rint(255 * np.stack([red, green, blue], axis=-1)).clip(0, 255)
    return np.asarray(levels, np.uint8)
