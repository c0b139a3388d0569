"""The cost of each block at one size, for `s2lic lab blocks` and docs/blocks.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache

import torch

from s2lic.eval.complexity import macs, without_data
from s2lic.transform.blocks import block_names, block_row, create_block
from s2lic.transform.blocks.registry import WRAPPED
from s2lic.transform.blocks.tools import TOOLS
from s2lic.transform.context import QUALITY_WIDTH, Context, apply

# A picture of 768 x 512 at stride 8, with the channels of the published model.
DIM, HEADS, HEIGHT, WIDTH = 192, 8, 64, 96
HEAD = ("key", "paper", "kind", "class", "output sees", "condition", "parameters", "kMAC per position")


@dataclass(frozen=True)
class BlockFacts:
    """A row of the table of blocks. Parameters, and kMAC per position, are at `DIM` channels."""

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
    """The facts of one block; for a wrapper, the cost that it adds. Raises BlockChoiceError."""
    row, (parameters, products) = block_row(key), _cost(key)
    if row.kind == "wrapper":
        parameters, products = parameters - _cost(WRAPPED)[0], products - _cost(WRAPPED)[1]
    shown = (row.key, row.paper, row.kind, row.selection, row.field, row.needs_cond, row.whole_map)
    return BlockFacts(*shown, parameters, products / HEIGHT / WIDTH / 1000, row.options)


@cache
def _cost(key: str) -> tuple[int, int]:
    """Parameters, and multiply-accumulates for one map."""
    with without_data():
        net = create_block(key, DIM, HEADS).eval()
        x, context = torch.zeros(1, DIM, HEIGHT, WIDTH), Context(quality=torch.zeros(1, QUALITY_WIDTH))
        return sum(p.numel() for p in net.parameters()), macs(lambda: apply(net, x, context))


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
