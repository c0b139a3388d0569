"""`s2lic demo`: encodes a photograph at several qualities, and compares the results."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from s2lic.cli.open_codec import open_codec
from s2lic.cli.options import Device, Force, Json, Model, Quiet, decimals
from s2lic.cli.streams import print_json, print_note
from s2lic.errors import UsageError
from s2lic.runtime import DeviceName

Picture = Annotated[str | None, typer.Argument(metavar="[IMAGE]", help="An image. [default: a sample photograph]")]
Folder = Annotated[Path, typer.Option("--out", help="Folder for the results.")]
Qualities = Annotated[str, typer.Option("--qualities", help="Numbers from 0 to 100, separated by commas.")]


def demo(
    source: Picture = None,
    out: Folder = Path("demo"),
    qualities: Qualities = "5,25,50,75,95",
    model: Model = None,
    device: Device = DeviceName.cpu,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Encode and decode a photograph at several qualities. Prints a table and writes an overview image."""
    steps = _qualities(qualities)
    from s2lic.eval.demo import SAMPLE, TABLE_HEAD, prepare, run
    from s2lic.eval.metrics import MS_SSIM_SIDE, SSIMULACRA2_SIDE
    from s2lic.eval.pictures import open_rgb

    image = open_rgb(source or str(SAMPLE))
    prepare(out, steps, force)
    if min(image.size) < SSIMULACRA2_SIDE:
        least = f"{MS_SSIM_SIDE} pixels a side, SSIMULACRA2 {SSIMULACRA2_SIDE}"
        print_note(f"s2lic: note: MS-SSIM needs at least {least}", quiet)
    codec, for_psnr = open_codec(device, model), None if model else open_codec(device, tune="psnr")
    rows = run(codec, for_psnr, image, steps, out, force)
    if as_json:
        print_json([row.facts() for row in rows])
        return
    head = (f"{image.width} x {image.height} pixels; all files of a quality at about the same size", TABLE_HEAD)
    for line in chain(head, rows):
        if not quiet:
            typer.echo(line)


def _qualities(text: str) -> list[float]:
    """Raises UsageError."""
    found = decimals("--qualities", text)
    if not all(0 <= number <= 100 for number in found):
        raise UsageError(f"--qualities takes numbers from 0 to 100, not {text!r}")
    return found
