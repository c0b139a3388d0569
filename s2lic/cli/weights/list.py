"""`s2lic weights list`: lists shipped and added weights, without loading them or torch."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from s2lic.cli.options import Json
from s2lic.cli.streams import print_json

if TYPE_CHECKING:
    from s2lic.weights.manifest import RetiredRow, WeightsRow

Facts = dict[str, Any]

AT = "32"  # dB
TABLE_HEAD = (
    f"model  tune    model id             MB  M params  minutes    steps  val {AT} dB  Kodak {AT} dB  BD-rate vtm"
)


def list(as_json: Json = False) -> None:  # noqa: A001 the command's name
    """List the shipped weights: size, training, bits per pixel at 32 dB and BD-rate in percent on Kodak."""
    from s2lic.weights.lookup import added
    from s2lic.weights.manifest import retired, rows

    shipped, own = {row.config: _facts(row) for row in rows()}, {name: str(path) for name, path in added().items()}
    if as_json:
        print_json({"shipped": [*shipped.values()], "retired": [asdict(row) for row in retired()], "added": own})
        return
    typer.echo(TABLE_HEAD)
    for facts in shipped.values():
        typer.echo(_line(facts))
    for old in retired():
        if old.model_id not in own:
            typer.echo(_old(old))
    for model_id, path in own.items():
        typer.echo(f"added: {model_id}, {path}")


def _facts(row: WeightsRow) -> Facts:
    from s2lic.weights.manifest import file_facts

    return {
        **asdict(row),
        "model": row.model,
        "tune": row.tune,
        "model_id": row.model_id.hex(),
        **asdict(file_facts(row.path)),
    }


def _line(facts: Facts) -> str:
    training, val, kodak = facts["training"], facts["rd"].get("val"), facts["rd"].get("kodak")
    cells = (
        f"{facts['model']:6} {facts['tune']:6}  {facts['model_id']}",
        f"{facts['bytes'] / 1e6:5.2f}  {facts['parameters'] / 1e6:8.2f}",
        f"{training.get('minutes', '-'):>7}  {training.get('steps', '-'):>7}",
        f"{_figure(val, 'bpp_at_db', AT):>9}  {_figure(kodak, 'bpp_at_db', AT):>11}",
        f"{_figure(kodak, 'bd_rate_percent', 'vtm'):>11}",
    )
    return "  ".join(cells)


def _figure(found: Facts | None, kind: str, name: str) -> str:
    return "-" if found is None else str(found[kind].get(name, "-"))


def _old(row: RetiredRow) -> str:
    return f"retired: {row.model_id}, {row}"
