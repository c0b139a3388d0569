"""`s2lic lab place`: finds where a gate gains most per unit of time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2lic.cli.options import Json, Quiet
from s2lic.cli.progress import progress
from s2lic.cli.streams import print_json
from s2lic.defaults import DEFAULT_QUALITY

if TYPE_CHECKING:
    from s2lic.lab.gate_placement import PlacementSearch

Data = Annotated[Path, typer.Option("--data", help="A folder of images to train and measure on.")]
Gate = Annotated[str, typer.Option("--gate", help="The gate: eca, little_attention or sentence_gate.")]
Most = Annotated[int, typer.Option("--most", min=1, help="The largest number of gates.")]
At = Annotated[
    str,
    typer.Option(
        "--at",
        help="Positions, separated by commas: before the blocks, behind them, after the residual sum.",
    ),
]
Steps = Annotated[int, typer.Option("--steps", min=0, help="Training steps for each placement.")]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Crops per step.")]
Crop = Annotated[int, typer.Option("--crop", min=64, help="Side of a crop in pixels, a multiple of 16.")]
Quality = Annotated[
    float, typer.Option("-q", "--quality", min=0, max=100, help="The quality at which placements are judged.")
]
Weights = Annotated[str, typer.Option("--model", help="The name of shipped weights, or a weights file.")]


def place(
    data: Data,
    gate: Gate = "eca",
    most: Most = 1,
    at: At = "before,behind,after",
    steps: Steps = 20,
    batch: Batch = 4,
    crop: Crop = 128,
    quality: Quality = DEFAULT_QUALITY,
    model: Weights = "nano",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Search for the groups of a trained model where a gate gains most per unit of time."""
    from s2lic.lab.gate_placement import PlacementRequest, placed

    request = PlacementRequest(data, gate, most, tuple(at.split(",")), steps, batch, crop, round(100 * quality), model)
    with progress(f"placing {gate}", quiet) as done:
        found, light = placed(request, done)
    if as_json:
        tried = [row.as_dict() for row in found.tried]
        print_json({"best": list(found.best.slots), "tried": tried, "share_of_block_time": light})
    elif not quiet:
        _print(found, light)


def _print(found: PlacementSearch, light: dict[int, float]) -> None:
    from s2lic.lab.gate_placement import LIGHT

    typer.echo(f"{'loss':>9} {'ms':>8} {'gain/s':>9}  gates")
    for row in found.tried:
        gain = 1e6 * found.gain(row)
        typer.echo(f"{row.loss:9.5f} {row.microseconds / 1e3:8.2f} {gain:9.3f}  {' '.join(row.slots) or 'none'}")
    typer.echo(f"\nBest gain per time: {' '.join(found.best.slots) or 'none'}.")
    for stride, part in light.items():
        verdict = "light" if part <= LIGHT else f"not light: at most {100 * LIGHT:.0f} % would be"
        typer.echo(f"One gate takes {100 * part:.2f} % of a block's time at stride {stride} of 768 x 512: {verdict}.")
