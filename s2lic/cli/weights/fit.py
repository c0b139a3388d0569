"""`s2lic weights fit`: the tables of a weights file, fitted to what its encoder sends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from s2lic.cli.batch import Facts
from s2lic.cli.jobs import Job
from s2lic.cli.options import Force, Json, Quiet
from s2lic.cli.streams import print_json, print_note, stderr_is_watched
from s2lic.cli.weights.place import check_weights
from s2lic.cli.weights.verify import line, look
from s2lic.files import check_input, write_atomically

Source = Annotated[Path, typer.Argument(metavar="WEIGHTS", help="A weights file.")]
Data = Annotated[list[Path], typer.Option("--data", help="A folder of pictures; may be given again.")]
Target = Annotated[Path, typer.Option("-o", "--output", help="The weights file to write; it is a model of its own.")]
Crops = Annotated[int, typer.Option("--crops", min=1, help="How many are encoded; each takes about half a second.")]
Crop = Annotated[int, typer.Option("--crop", min=64, help="Their side in pixels, a multiple of 64.")]


def fit(
    weights: Source,
    data: Data,
    output: Target,
    crops: Crops = 600,
    crop: Crop = 256,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Fit the probabilities of symbols to those that the encoder sends for pictures."""
    check_input(weights)
    check_weights(output, force)
    from rich.console import Console
    from rich.progress import track

    from s2lic.train.fit import fitted

    hidden = quiet or not stderr_is_watched()
    turns = track(range(crops), "encoding", console=Console(stderr=True), transient=True, disable=hidden)
    write_atomically(output, fitted(weights, data, crop, turns, crops), force)
    facts: Facts = look(Job(str(output)))
    if as_json:
        print_json({"output": str(output), **facts})
    else:
        print_note(line(str(output), facts), quiet)
