"""`s2lic models`: prints the cost of each model and its shipped weights."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Annotated, Any

import typer

from s2lic.cli.options import Json, Quiet
from s2lic.cli.streams import print_json
from s2lic.weights import manifest

All = Annotated[bool, typer.Option("--all", help="Also show the test model.")]

HIDDEN = ("tiny",)
TABLE_HEAD = "config  M params  kMAC/px encode  kMAC/px decode  entropy part  weights"


def models(everything: All = False, quiet: Quiet = False, as_json: Json = False) -> None:
    """Print the size and cost of each model, and its shipped weights."""
    stored: dict[str, dict[str, Any]] = json.loads(files("s2lic.eval").joinpath("costs.json").read_bytes())
    shown = {
        name: {**facts, "weights": [row.tune for row in manifest.rows() if row.model == name]}
        for name, facts in stored.items()
        if everything or name not in HIDDEN
    }
    if as_json:
        print_json(shown)
        return
    if not quiet:
        for line in (TABLE_HEAD, *(_line(name, facts) for name, facts in shown.items())):
            typer.echo(line)


def _line(name: str, facts: dict[str, Any]) -> str:
    kmac, weights = facts["kmac_per_pixel"], ", ".join(facts["weights"]) or "none"
    costs = f"{kmac['encode']:15.1f} {kmac['decode']:15.1f} {kmac['entropy']:14.1f}"
    return f"{name:6} {facts['parameters'] / 1e6:9.2f} {costs}  {weights}"
