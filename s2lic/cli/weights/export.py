"""`s2lic weights export`: writes the result of a training run as a weights file, or a weights file as ONNX graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from s2lic.cli.options import Force, Json, Quiet
from s2lic.cli.streams import print_json, print_note
from s2lic.cli.weights.place import check_weights
from s2lic.cli.weights.verify import tell_written
from s2lic.errors import UsageError
from s2lic.files import check_input, is_folder

Source = Annotated[
    Path,
    typer.Argument(
        metavar="SOURCE", help="The last.pt of a training run, or a folder with its parts; with --onnx, a weights file."
    ),
]
Data = Annotated[list[Path], typer.Option("--data", help="A folder of images. Repeatable.")]
Crop = Annotated[int, typer.Option("--crop", min=64, help="Side of the crops in pixels.")]
Target = Annotated[Path, typer.Option("-o", "--output", help="The weights file to write; with --onnx, a new folder.")]
Onnx = Annotated[bool, typer.Option("--onnx", help="Write the networks of a weights file as ONNX graphs.")]


def export(
    source: Source,
    output: Target,
    data: Data = [],  # noqa: B006  # typer copies it
    crop: Crop = 256,
    onnx: Onnx = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the averaged weights of a training run as a weights file, and verify it.

    Images (--data) set the number grids of the integer networks. An adapted codec needs none.
    With --onnx, write a weights file as ONNX graphs and a manifest for other runtimes.
    """
    if onnx:
        _export_graphs(source, output, data, force, quiet, as_json)
        return
    if not is_folder(source):
        check_input(source)
    check_weights(output, force, [source])
    from s2lic.train.export import export_checkpoint

    export_checkpoint(source, output, data, crop, force)
    tell_written(output, quiet, as_json)


def _export_graphs(source: Path, output: Path, data: list[Path], force: bool, quiet: bool, as_json: bool) -> None:
    from s2lic.onnx.export import exported, write_files
    from s2lic.weights.arrays import load_arrays

    if data:
        raise UsageError("--onnx needs no images; leave out --data")
    files = exported(load_arrays(source))
    write_files(output, files, force)
    size = sum(map(len, files.values()))
    if as_json:
        print_json({"output": str(output), "files": len(files), "bytes": size})
    else:
        print_note(f"{output}: {len(files)} files, {size} bytes", quiet)
