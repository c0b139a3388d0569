"""`s2lic calibrate`: which attention heads gain by calibration of their sinks."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from s2lic.cli.options import Force, Json
from s2lic.cli.streams import print_json, progress, write_output
from s2lic.cli.weights.place import check_weights
from s2lic.errors import UsageError

Weights = Annotated[Path, typer.Argument(metavar="WEIGHTS", help="A weights file of a model with softmax attention.")]
Data = Annotated[Path, typer.Option("--data", help="A folder of pictures to judge by.")]
Target = Annotated[str, typer.Option("-o", "--output", help="The weights file to write; it is a model of its own.")]
Quality = Annotated[float, typer.Option("-q", "--quality", min=0, max=100, help="At which heads are judged.")]


def calibrate(
    weights: Weights,
    data: Data,
    output: Target,
    quality: Quality = 50.0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Choose the heads of a model whose attention sinks are worth calibrating (ACT)."""
    from s2lic.codec import Codec
    from s2lic.eval.calibrate import calibrate as search
    from s2lic.eval.calibrate import rd_cost, wrapped, written
    from s2lic.images import is_picture_name, open_image
    from s2lic.weights.store import load

    check_weights(Path(output), force)
    pictures = [open_image(path).convert("RGB") for path in sorted(data.rglob("*")) if is_picture_name(path)]
    if not pictures:
        raise UsageError(f"there are no pictures in the folder {data}; give --data another")
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder, "start.safetensors")
        start.write_bytes(wrapped(load(weights)))
        codec = Codec(start)
    with progress("trying heads", quiet=False):
        found = search(codec.weights.model, lambda: rd_cost(codec, pictures, round(100 * quality)))
    write_output(output, written(codec.weights.model, codec.weights.tables), force)
    if as_json:
        print_json({"kept": [list(head) for head in found.kept], "before": found.before, "after": found.after})
        return
    typer.echo(f"{output}: {len(found.kept)} heads kept; R + lambda D {found.before:.5f}, then {found.after:.5f}")
