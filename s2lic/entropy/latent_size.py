"""The sizes of y and z, their table rows, and a lower bound of their bits. This module does not import torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2lic.entropy.config import Z_STRIDE, EntropyRow
from s2lic.entropy.exact.limits import LEVELS
from s2lic.entropy.tables import Tables


@dataclass(frozen=True)
class LatentSize:
    """Height and width of y."""

    height: int
    width: int

    @property
    def side(self) -> tuple[int, int]:
        return -(-self.height // Z_STRIDE), -(-self.width // Z_STRIDE)

    def symbols(self, row: EntropyRow) -> int:
        """The number of symbols of z and y."""
        z_height, z_width = self.side
        return row.side * z_height * z_width + row.latent * self.height * self.width


def nearest_anchor(level: int, anchors: int) -> int:
    """The anchor quality nearest to a level 0..10000."""
    return (2 * level * (anchors - 1) + LEVELS) // (2 * LEVELS)


def z_rows(row: EntropyRow, levels: Sequence[int], size: LatentSize) -> Iterator[NDArray[np.int64]]:
    """Table rows of z at each level, (channels, h, w): anchor * channels + channel."""
    for level in levels:
        rows = nearest_anchor(level, row.anchors) * row.side + np.arange(row.side)[:, None, None]
        yield np.broadcast_to(rows, (row.side, *size.side))


def least_bits(row: EntropyRow, tables: Tables, level: int, size: LatentSize) -> float:
    """The bits of a picture if every symbol were the most likely one of its row.

    The rows of z follow from the header. For y, the row with the cheapest symbol is assumed.
    """
    z_height, z_width = size.side
    y = row.latent * size.height * size.width * float(tables.least_bits[tables.gaussian_first :].min())
    first = nearest_anchor(level, row.anchors) * row.side
    return y + z_height * z_width * float(tables.least_bits[first : first + row.side].sum())
