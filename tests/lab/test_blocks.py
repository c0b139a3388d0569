"""The table of blocks as the docs and the command line show it."""

from __future__ import annotations

import re
from pathlib import Path

from s2lic.lab.blocks import DIM, HEADS, all_facts, facts, markdown, tools
from s2lic.transform.blocks import block_names
from s2lic.transform.blocks.tools import TOOLS

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "blocks.md").read_text()


def test_the_costs_are_those_of_the_formulas() -> None:
    """Of 192 channels: the MLP, and a halo of 3 around windows of 8."""
    assert facts("mlp").parameters == 8 * DIM**2 + 5 * DIM
    assert facts("mlp").kmac == 8 * DIM**2 / 1000
    assert facts("halo").parameters == 4 * DIM**2 + 2 * 27 * DIM // HEADS
    assert facts("halo").kmac == (4 * DIM**2 + 2 * 14**2 * DIM + 2 * 27 * DIM) / 1000


def test_the_docs_have_this_very_table_and_an_entry_for_every_block() -> None:
    assert markdown() in DOCS
    headings = re.findall(r"^### `(\w+)`", DOCS, re.MULTILINE)
    assert sorted(headings) == sorted([*block_names(), *TOOLS])


def test_the_docs_have_the_table_of_tools() -> None:
    assert tools() in DOCS


def test_every_block_is_told_once() -> None:
    assert [row.key for row in all_facts()] == list(block_names())
