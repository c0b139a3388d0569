"""`s2lic lab blocks`: lists the blocks of a transform."""

from __future__ import annotations

from dataclasses import asdict

import typer

from s2lic.cli.options import Json
from s2lic.cli.streams import print_json


def blocks(as_json: Json = False) -> None:
    """List the blocks that a transform can consist of: kind, cost, and receptive field."""
    from s2lic.lab.blocks import DIM, all_facts
    from s2lic.transform.blocks.tools import TOOLS

    rows = all_facts()
    if as_json:
        tools = [asdict(row) for row in TOOLS.values()]
        print_json({"dim": DIM, "blocks": [row.as_dict() for row in rows], "tools": tools})
        return
    typer.echo(f"{'block':15} {'kind':9} {'class':6} {'parameters':>10} {'kMAC':>7}  output sees")
    for row in rows:
        numbers = f"{row.parameters:10,} {row.kmac:7.1f}"
        typer.echo(f"{row.key:15} {row.kind:9} {row.selection:6} {numbers}  {row.field}")
    for tool in TOOLS.values():
        typer.echo(f"{tool.key:15} {tool.kind:9} {tool.command}: {tool.does}")
    typer.echo(f"\nParameters, and thousands of multiply-accumulates per position, at {DIM} channels.")
