"""The sizes of a transform, as data."""

from __future__ import annotations

from dataclasses import dataclass

STRIDE = 16  # pixels of the picture, in each direction, to one place of y


@dataclass(frozen=True)
class TransformRow:
    """Widths, depths, heads and blocks stand for the stages at strides 2, 4, 8; `latent` is M, the channels of y.

    blocks, mlp, gate and wrap are keys of the table of blocks; an empty gate or wrap is none. cond: numbers that g_a
    is told of a picture beside its quality.
    """

    widths: tuple[int, int, int]
    depths: tuple[int, int, int]
    heads: tuple[int, int, int]
    latent: int
    window: int
    mlp_ratio: int
    dense_unshuffle: int
    dense_growth: int
    blocks: tuple[str, str, str] = ("swinv2", "swinv2", "swinv2")
    mlp: str = "mlp"
    gate: str = ""
    wrap: str = ""
    cond: int = 0
