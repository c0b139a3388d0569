"""`s2lic models`: prints the cost of each model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from s2lic.cli.options import Json, Quiet
from s2lic.cli.streams import print_json

if TYPE_CHECKING:
    from s2lic.eval.complexity import Cost

All = Annotated[bool, typer.Option("--all", help="Also show the test model.")]

HIDDEN = ("tiny",)
TABLE_HEAD = "config  M params  kMAC/px encode  kMAC/px decode  of it entropy"


def models(everything: All = False, quiet: Quiet = False, as_json: Json = False) -> None:
    """Print the parameters and multiply-accumulates per pixel of each model."""
    from s2lic.eval.complexity import cost
    from s2lic.model import CONFIGS

    costs = [cost(name) for name in CONFIGS if everything or name not in HIDDEN]
    if as_json:
        print_json({row.config: _facts(row) for row in costs})
        return
    if not quiet:
        for line in (TABLE_HEAD, *map(_line, costs)):
            typer.echo(line)


def _line(row: Cost) -> str:
    return f"{row.config:6} {row.parameters / 1e6:9.2f} {row.encode:15.1f} {row.decode:15.1f} {row.entropy:14.1f}"


def _facts(row: Cost) -> dict[str, object]:
    return {
        "parameters": row.parameters,
        "parameters_by_part": row.part_parameters,
        "kmac_per_pixel": {"encode": row.encode, "decode": row.decode, "entropy": row.entropy},
        "kmac_per_pixel_by_part": row.kmac,
    }
