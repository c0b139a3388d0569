"""`s2lic blocks place`: where a gate pays per microsecond."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2lic.cli.options import Json
from s2lic.cli.streams import print_json, progress

if TYPE_CHECKING:
    from s2lic.eval.place import Placed, Search, Slots

Data = Annotated[Path, typer.Option("--data", help="A folder of pictures to train and judge by.")]
Gate = Annotated[str, typer.Option("--gate", help="eca or little_attention.")]
Most = Annotated[int, typer.Option("--most", min=1, help="Gates to place at most.")]
Steps = Annotated[int, typer.Option("--steps", min=0, help="Steps of training for each placement.")]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Crops a step.")]
Crop = Annotated[int, typer.Option("--crop", min=16, help="Pixels a side of a crop; a multiple of 64.")]
Quality = Annotated[float, typer.Option("-q", "--quality", min=0, max=100, help="At which placements are judged.")]
Weights = Annotated[str, typer.Option("--model", help="Shipped weights by name, or a weights file.")]


def place(
    data: Data,
    gate: Gate = "eca",
    most: Most = 1,
    steps: Steps = 20,
    batch: Batch = 4,
    crop: Crop = 128,
    quality: Quality = 50.0,
    model: Weights = "nano",
    as_json: Json = False,
) -> None:
    """Search the groups of a trained model in which a gate gains most for its time."""
    from s2lic.eval.place import Trial, search, slots_of
    from s2lic.model import build
    from s2lic.train.data import Photos
    from s2lic.train.warm import warm_start
    from s2lic.weights.manifest import by_config
    from s2lic.weights.store import load

    path = Path(model) if model.endswith(".safetensors") else by_config(model).path
    net, photos = build(load(path).model.row), Photos.load([data], crop)
    with progress("reading weights", quiet=False):
        warm_start(net, path, photos, 0)
    batches = [photos.batch(batch, crop, (0, 2, step)) for step in range(steps + 1)]
    trial = Trial(net, gate, batches[1:], batches[0], round(100 * quality))

    def measure(slots: Slots) -> Placed:
        with progress(f"training {' '.join(slots) or 'without'}", quiet=False):
            return trial(slots)

    found = search(slots_of(net), measure, most)
    if as_json:
        print_json({"best": list(found.best.slots), "tried": [row.as_dict() for row in found.tried]})
        return
    _print(found)


def _print(found: Search) -> None:
    typer.echo(f"{'loss':>9} {'ms':>8} {'gain/s':>9}  gates")
    for row in found.tried:
        gain = 1e6 * found.gain(row)
        typer.echo(f"{row.loss:9.5f} {row.microseconds / 1e3:8.2f} {gain:9.3f}  {' '.join(row.slots) or 'none'}")
    typer.echo(f"\nBest for its time: {' '.join(found.best.slots) or 'none'}.")
