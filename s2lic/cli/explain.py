"""`s2lic explain`: where the bits of a picture come from."""

from __future__ import annotations

import io
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2lic.bitstream import DEFAULT_MAX_PIXELS
from s2lic.cli.device import open_codec
from s2lic.cli.options import Device, DeviceName, Force, Json, MaxPixels, Model, Output, Quiet
from s2lic.cli.streams import check_target, print_json, print_note, progress, write_output

if TYPE_CHECKING:
    from torch import Tensor

    from s2lic.eval.explain.bits import Explained


class Show(str, Enum):
    """What `--show` takes."""

    relevance = "relevance"
    salience = "salience"
    bits = "bits"


Picture = Annotated[str, typer.Argument(metavar="IMAGE", help="A picture of up to 2 megapixels.")]
Quality = Annotated[float, typer.Option("-q", "--quality", min=0, max=100, help="At which the bits are counted.")]
Shown = Annotated[
    Show,
    typer.Option(
        "--show",
        help="relevance: pixels that bits go back to. salience: areas that stand out in it. bits: where y has them.",
    ),
]
Plain = Annotated[bool, typer.Option("--plain", help="Write the map alone, in grey; encode --roi takes it.")]


def explain(
    source: Picture,
    output: Output = None,
    quality: Quality = 50.0,
    show: Shown = Show.relevance,
    plain: Plain = False,
    model: Model = None,
    device: Device = DeviceName.cpu,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show which parts of a picture cost its bits, as heat over the picture."""
    from s2lic.eval.explain.bits import explain as trace
    from s2lic.eval.explain.overlay import grey, overlay
    from s2lic.images import read_image

    target = output or str(Path(source).with_suffix(".explain.png"))
    check_target(target, force)
    picture = read_image(source, max_pixels).image.convert("RGB")
    with progress(f"explaining {source}", quiet):
        found = trace(open_codec(device, model, max_pixels), picture, round(100 * quality))
        shown = _map(found, show, picture.size)
    buffer = io.BytesIO()
    (grey(shown) if plain else overlay(picture, shown)).save(buffer, format="PNG")
    write_output(target, buffer.getvalue(), force)
    facts = {
        "input": source,
        "output": target,
        "quality": quality,
        "show": show.value,
        "y_bits": float(found.y_bits.sum()),
        "z_bits": float(found.z_bits.sum()),
        "kept": found.kept,
    }
    if as_json:
        print_json(facts)
        return
    print_note(f"{target}: {found.total / 8:.0f} bytes of symbols, {100 * found.kept:.0f} % traced to pixels", quiet)


def _map(found: Explained, show: Show, size: tuple[int, int]) -> Tensor:
    from s2lic.eval.explain.bits import spread
    from s2lic.eval.explain.overlay import smoothed
    from s2lic.eval.explain.salience import salience

    if show is Show.bits:
        return spread(found.y_bits, (size[1], size[0]))
    relevance = smoothed(found.pixels)
    return salience(relevance) if show is Show.salience else relevance
