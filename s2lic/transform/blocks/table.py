"""The table of blocks: what `create_block` can make, by key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from s2lic.errors import UnknownConfigError
from s2lic.transform.blocks.bottleneck import Bottleneck
from s2lic.transform.swin import SwinBlock


@dataclass(frozen=True)
class Place:
    """Where a block stands: channels, heads, window, MLP ratio, and its number in its group."""

    dim: int
    heads: int = 1
    window: int = 8
    mlp_ratio: int = 2
    index: int = 0

    @property
    def shift(self) -> int:
        """Every other block looks through windows shifted by half."""
        return self.window // 2 if self.index % 2 else 0


@dataclass(frozen=True)
class BlockRow:
    """One selectable block: its key, its source and how it is made for a place."""

    key: str
    source: str
    make: Callable[[Place], nn.Module]


ROWS = {
    row.key: row
    for row in (
        BlockRow(
            "swinv2",
            "Liu et al. 2022, Swin Transformer V2",
            lambda at: SwinBlock(at.dim, at.heads, at.window, at.shift, at.mlp_ratio),
        ),
        BlockRow("bottleneck", "He et al. 2022, ELIC", lambda at: Bottleneck(at.dim)),
    )
}


def block_names() -> tuple[str, ...]:
    """The keys that `create_block` takes."""
    return tuple(ROWS)


def create_block(key: str, place: Place) -> nn.Module:
    """A module from (B, C, H, W) to the same shape, for any H and W. Raises UnknownConfigError."""
    if key not in ROWS:
        raise UnknownConfigError(f"no block '{key}'; there are {', '.join(ROWS)}")
    return ROWS[key].make(place)
