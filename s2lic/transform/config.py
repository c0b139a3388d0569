"""The configuration of a transform."""

from __future__ import annotations

from dataclasses import dataclass

STRIDE = 16  # pixels per position of y, in each direction


@dataclass(frozen=True)
class TransformRow:
    """The configuration of g_a and g_s. Triples belong to the stages at strides 2, 4 and 8.

    Args:
        widths: Channels of each stage.
        depths: Blocks in each stage.
        heads: Attention heads of each stage.
        latent: Channels M of y.
        window: Height and width of the windows of attention.
        mlp_ratio: Hidden channels of an MLP for each of its inputs.
        dense_unshuffle: Factor by which pixels are unshuffled before the dense block.
        dense_growth: Channels that each convolution of the dense block adds.
        blocks: The key of each stage's blocks, or a sequence such as `6*bottleneck/2*swinv2`, which sets its depth.
        mlp: The key of the MLPs.
        gate: The key of a gate after each block; empty for none.
        wrap: The key of a wrapper around each attention; empty for none.
        cond: How many numbers of the user's condition g_a reads with each picture.
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
        """The key of each block of a stage, in order. Stages 0 to 2 have strides 2, 4 and 8."""
        blocks = self.blocks[stage]
        return sequence(blocks) if is_sequence(blocks) else (blocks,) * self.depths[stage]

    @property
    def all_keys(self) -> tuple[str, ...]:
        """All keys of the stages, including stages of depth 0."""
        return tuple(dict.fromkeys(key for blocks in self.blocks for key in sequence(blocks)))


def is_sequence(blocks: str) -> bool:
    """Whether the text is a sequence of blocks, which sets the depth of its stage."""
    return "*" in blocks or "/" in blocks


def sequence(blocks: str) -> tuple[str, ...]:
    """Expands `6*bottleneck/2*swinv2`, or a single key, into keys. An invalid count stays part of its key."""
    keys: list[str] = []
    for word in blocks.split("/"):
        count, star, key = word.partition("*")
        keys += [key] * int(count) if star and count.isdecimal() else [word]
    return tuple(keys)
