"""`s2lic weights fit`: fits the tables of a weights file to the symbols of its encoder."""

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
Data = Annotated[list[Path], typer.Option("--data", help="A folder of images. Repeatable.")]
Target = Annotated[
    Path, typer.Option("-o", "--output", help="The weights file to write. It is a new model with its own id.")
]
Crops = Annotated[
    int, typer.Option("--crops", min=1, help="Number of crops to encode. Each takes about half a second.")
]
Crop = Annotated[int, typer.Option("--crop", min=64, help="Side of a crop in pixels, a multiple of 64.")]


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
    """Fit the symbol probabilities of a model to the symbols that its encoder produces."""
    check_input(weights)
    check_weights(output, force, [weights])
    from s2lic.train.table_fit import fitted

    with progress("encoding", quiet) as done:
        write_atomically(output, fitted(weights, data, crop, crops, done), force)
    tell_written(output, quiet, as_json)
