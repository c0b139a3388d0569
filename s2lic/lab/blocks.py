"""What each block costs at one size, for the table that the command line and the docs show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import torch

from s2lic.transform.blocks import block_names, block_row, create_block
from s2lic.transform.blocks.registry import WRAPPED
from s2lic.transform.blocks.tools import TOOLS

# Stride 8 of a picture of 768 x 512, at the width of the published model.
DIM, HEADS, HEIGHT, WIDTH = 192, 8, 64, 96
HEAD = ("key", "paper", "kind", "class", "output sees", "condition", "parameters", "kMAC a position")


@dataclass(frozen=True)
class BlockFacts:
    """A row of the table of blocks, with parameters and multiply-accumulates a position at `DIM` channels."""

    key: str
    paper: str
    kind: str
    selection: str
    field: str
    needs_cond: bool
    whole_map: bool
    parameters: int
    kmac: float
    options: Mapping[str, tuple[object, ...]]

    def cells(self) -> tuple[str, ...]:
        needs = "yes" if self.needs_cond else "no"
        numbers = f"{self.parameters:,}", f"{self.kmac:.1f}"
        return (f"`{self.key}`", self.paper, self.kind, self.selection, self.field, needs, *numbers)

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def facts(key: str) -> BlockFacts:
    """The facts of one block; of a wrapper, what it adds. Raises UnknownBlockError."""
    row, (count, macs) = block_row(key), _cost(key)
    if row.kind == "wrapper":
        count, macs = count - _cost(WRAPPED)[0], macs - _cost(WRAPPED)[1]
    shown = (row.key, row.paper, row.kind, row.selection, row.field, row.needs_cond, row.whole_map)
    return BlockFacts(*shown, count, macs / HEIGHT / WIDTH / 1000, row.options)


def _cost(key: str) -> tuple[int, int]:
    with torch.device("meta"):
        net = create_block(key, DIM, HEADS)
    macs: int = net.macs(HEIGHT, WIDTH)  # type: ignore[operator]
    return sum(p.numel() for p in net.parameters()), macs


def all_facts() -> list[BlockFacts]:
    """The facts of every block, in the order of the table."""
    return [facts(key) for key in block_names()]


def markdown() -> str:
    """The table as docs/blocks.md has it."""
    return _table(HEAD, [row.cells() for row in all_facts()], numbers=2)


def tools() -> str:
    """The table of tools as docs/blocks.md has it."""
    rows = [(f"`{row.key}`", row.paper, f"`{row.command}`") for row in TOOLS.values()]
    return _table(("key", "paper", "command"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], numbers: int = 0) -> str:
    lines = [head, ("---",) * (len(head) - numbers) + ("---:",) * numbers, *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
