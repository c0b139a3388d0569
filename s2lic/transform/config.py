"""The sizes of a transform, as data."""

from __future__ import annotations

from dataclasses import dataclass

STRIDE = 16  # pixels of the picture, in each direction, to one place of y


@dataclass(frozen=True)
class TransformRow:
    """Widths, depths, heads and blocks belong to the stages at strides 2, 4 and 8; `latent` is M, the channels of y.

    blocks, mlp, gate and wrap are keys of the table of blocks; an empty gate or wrap is none. The blocks of a stage
    are one key for all of them, or a sequence such as `6*bottleneck/2*swinv2`, whose length is the stage's depth.
    cond: how many numbers of the user's condition g_a reads with each picture.
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

    def keys(self, stage: int) -> tuple[str, ...]:
        """The key of each block of a stage, in order; stages 0 to 2 have strides 2, 4 and 8."""
        blocks = self.blocks[stage]
        return sequence(blocks) if is_sequence(blocks) else (blocks,) * self.depths[stage]

    @property
    def all_keys(self) -> tuple[str, ...]:
        """Every key that the stages name, those of stages without blocks too."""
        return tuple(dict.fromkeys(key for blocks in self.blocks for key in sequence(blocks)))


def is_sequence(blocks: str) -> bool:
    """Whether a stage names its blocks one by one, and so sets its depth."""
    return "*" in blocks or "/" in blocks


def sequence(blocks: str) -> tuple[str, ...]:
    """The keys that `6*bottleneck/2*swinv2` or a single key stands for; a count that is no number stays in its key."""
    keys: list[str] = []
    for word in blocks.split("/"):
        count, star, key = word.partition("*")
        keys += [key] * int(count) if star and count.isdecimal() else [word]
    return tuple(keys)
