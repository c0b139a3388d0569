"""Regions of interest: a level for each cell of an image, which sets its step size, and the box that stores them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from s2lic.container.tiles import GRID, Box
from s2lic.entropy.symbol_coder import SymbolReader, SymbolWriter
from s2lic.entropy.tables import TOTAL, Tables
from s2lic.errors import RegionMapError
from s2lic.transform.config import STRIDE

if TYPE_CHECKING:
    from torch import Tensor

LEVELS, NEUTRAL = 8, 4
# The probability that a level is that of the cell above is 1 - 7/8 * 2^-t, t = 0 to 7; t is the first byte of the box.
TRUSTS = 8

Levels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Roi:
    """A level 0 to 7 for each cell of 64 x 64 pixels, (rows, columns); 4 is the same as no map."""

    levels: Levels

    @property
    def neutral(self) -> bool:
        return bool((self.levels == NEUTRAL).all())

    def step_exponent(self, box: Box) -> NDArray[np.int64]:
        """Integers n, the levels minus 4, at the positions of y in a box of pixels, (h, w)."""
        rows = _cells(box.top, box.bottom, self.levels.shape[0])
        columns = _cells(box.left, box.right, self.levels.shape[1])
        levels: NDArray[np.int64] = self.levels[rows[:, None], columns].astype(np.int64)
        return levels - NEUTRAL

    def step_divisor(self, box: Box) -> NDArray[np.float64]:
        """The divisor 2^(n / 4) of the step at each position of y in a box of pixels, (h, w)."""
        scale: NDArray[np.float64] = np.exp2(self.step_exponent(box) / 4)
        return scale

    def mask(self, size: tuple[int, int]) -> Image.Image:
        """A grey image of this width and height, from which `roi_of` makes the same map."""
        grey = Image.fromarray(((self.levels.astype(np.uint16) * 255 + LEVELS // 2) // (LEVELS - 1)).astype(np.uint8))
        return grey.resize((GRID * grey.width, GRID * grey.height), Image.Resampling.NEAREST).crop((0, 0, *size))

    def pack(self) -> bytes:
        """The content of the box, in the shortest encoding."""
        return min((_coded(self.levels, trust) for trust in range(TRUSTS)), key=len)


def roi_of(mask: Image.Image, size: tuple[int, int]) -> Roi:
    """The map of an image from a grey mask, which is resized to the image.

    Args:
        mask: The mean over a cell sets its level: black is 0, mid-grey is 4, white is 7.
        size: Width and height of the image.
    """
    grey = mask.convert("L")
    if grey.size != size:
        grey = grey.resize(size, Image.Resampling.BOX)
    means = np.asarray(grey.reduce(GRID), np.uint16)
    return Roi(((means * (LEVELS - 1) + 127) // 255).astype(np.uint8))


def unpack_roi(box: bytes, size: tuple[int, int]) -> Roi:
    """The map of an image of this width and height.

    Raises:
        RegionMapError, PayloadSizeError, TruncatedError: The box is damaged, or not in the form that `Roi.pack` writes.
    """
    width, height = (-(-side // GRID) for side in size)
    trust = box[0]
    if trust >= TRUSTS:
        raise RegionMapError(f"the map of regions has an unknown coding: {trust}")
    reader, levels = SymbolReader(_tables(), box[1:], (), width * height), np.zeros((height, width), np.uint8)
    above = np.full(width, NEUTRAL)
    for row in levels:
        row[:] = above = reader.read_rows(trust * LEVELS + above)
    if _coded(levels, trust) != box:
        raise RegionMapError("the map of regions is not in its shortest encoding")
    return Roi(levels)


def _cells(start: int, stop: int, count: int) -> NDArray[np.int64]:
    """The cell of each position of y, by its centre. Positions beyond the image belong to the last cell."""
    middles = np.arange(start + STRIDE // 2, start + STRIDE // 2 + max(stop - start, 1), STRIDE)
    return np.minimum(middles // GRID, count - 1)


def _coded(levels: Levels, trust: int) -> bytes:
    above = np.concatenate([np.full((1, levels.shape[1]), NEUTRAL), levels[:-1]])
    writer = SymbolWriter(_tables())
    writer.write_rows(levels, trust * LEVELS + above)
    return bytes([trust]) + writer.finish().payload


@cache
def _tables() -> Tables:
    """A row for each trust and level above, and one Gaussian row, because tables need one."""
    rows = [[TOTAL >> (trust + 3)] * LEVELS for trust in range(TRUSTS) for _ in range(LEVELS)]
    for index, row in enumerate(rows):
        row[index % LEVELS] = TOTAL - (LEVELS - 1) * row[0]
    return Tables.from_arrays(
        {
            "widths": np.array([*np.ravel(rows), TOTAL // 2, TOTAL // 2], np.uint16),
            "slots": np.array([LEVELS] * len(rows) + [2], np.int32),
            "offsets": np.zeros(len(rows) + 1, np.int32),
            "first": np.array([len(rows)], np.int32),
        }
    )


def step_exponents(regions: Roi | None, boxes: list[Box]) -> Tensor | None:
    """Integers n (B, h, w) for boxes of one size: steps are divided by 2^(n / 4). None without regions."""
    import torch

    return None if regions is None else torch.from_numpy(np.stack([regions.step_exponent(box) for box in boxes]))


def step_divisor(regions: Roi | None, boxes: list[Box]) -> Tensor | None:
    """The divisor 2^(n / 4) of steps of y, (B, h, w) float64. None without regions."""
    import torch

    if regions is None:
        return None
    return torch.from_numpy(np.stack([regions.step_divisor(box) for box in boxes]))
