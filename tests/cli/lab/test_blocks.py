"""`s2lic lab blocks`."""

from __future__ import annotations

import json
from collections.abc import Callable

from s2lic.transform.blocks import block_names
from s2lic.transform.blocks.tools import TOOLS
from tests.cli.conftest import Result

Run = Callable[..., Result]


def test_the_table_has_a_line_for_every_block(run: Run) -> None:
    lines = run("lab", "blocks").out.decode().splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(block_names())]] == list(block_names())


def test_programs_get_the_same_with_what_each_needs(run: Run) -> None:
    found = json.loads(run("lab", "blocks", "--json").out)
    assert [row["key"] for row in found["blocks"]] == list(block_names())
    assert {row["selection"] for row in found["blocks"]} <= {"smooth", "hard"}
    assert all(row["parameters"] >= 0 and row["kmac"] >= 0 for row in found["blocks"])


def test_tools_are_told_with_the_command_that_they_are(run: Run) -> None:
    lines = run("lab", "blocks").out.decode()
    assert all(f"{row.key:15} tool      {row.command}" in lines for row in TOOLS.values())
    assert [row["key"] for row in json.loads(run("lab", "blocks", "--json").out)["tools"]] == list(TOOLS)


def test_every_tool_names_a_command_that_is_there(run: Run) -> None:
    for row in TOOLS.values():
        assert run(*row.command.split()[1:], "--help").code == 0
