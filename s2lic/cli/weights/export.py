"""`s2lic weights export`: writes the result of a training as a weights file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from s2lic.cli.options import Force, Json, Quiet
from s2lic.cli.weights.place import check_weights
from s2lic.cli.weights.verify import tell_written
from s2lic.files import check_input, is_folder

Checkpoint = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="The last.pt of a training, or a folder of its parts.")
]
Data = Annotated[list[Path], typer.Option("--data", help="A folder of pictures. Repeatable.")]
Crop = Annotated[int, typer.Option("--crop", min=64, help="Side of the crops in pixels.")]
Target = Annotated[Path, typer.Option("-o", "--output", help="The weights file, NAME.safetensors.")]


def export(
    checkpoint: Checkpoint,
    output: Target,
    data: Data = [],  # noqa: B006  # typer copies it
    crop: Crop = 256,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the averaged weights of a training as a weights file, and verify it.

    Pictures (--data) set the number grids of the integer networks. An adapted codec needs none.
    """
    if not is_folder(checkpoint):
        check_input(checkpoint)
    check_weights(output, force, [checkpoint])
    from s2lic.train.export import export_checkpoint

    export_checkpoint(checkpoint, output, data, crop, force)
    tell_written(output, quiet, as_json)
