"""`s2lic weights fit`: the tables of a weights file, fitted to what its encoder sends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from s2lic.cli.options import Force, Json, Quiet
from s2lic.cli.progress import progress
from s2lic.cli.weights.place import check_weights
from s2lic.cli.weights.verify import tell_written
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
    check_weights(output, force, [weights])
    from s2lic.train.table_fit import fitted

    with progress("encoding", quiet) as done:
        write_atomically(output, fitted(weights, data, crop, crops, done), force)
    tell_written(output, quiet, as_json)
