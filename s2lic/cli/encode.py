"""`s2lic encode`: a picture to a small file."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from s2lic.bitstream import DEFAULT_MAX_PIXELS
from s2lic.cli.device import open_codec
from s2lic.cli.options import (
    Device,
    DeviceName,
    Force,
    Input,
    Json,
    MaxPixels,
    Model,
    Output,
    Quiet,
)
from s2lic.cli.streams import (
    STANDARD,
    check_target,
    name_output,
    print_json,
    print_note,
    progress,
    write_output,
)

if TYPE_CHECKING:
    from PIL.Image import Image

Quality = Annotated[float, typer.Option("-q", "--quality", min=0, max=100, help="More keeps more, in more bytes.")]


def encode(
    source: Input,
    output: Output = None,
    quality: Quality = 50.0,
    model: Model = None,
    device: Device = DeviceName.cpu,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Encode a picture."""
    from s2lic.images import open_image

    target = name_output(source, output, ".s2lic")
    check_target(target, force, as_json)
    image = open_image(sys.stdin.buffer if source == STANDARD else source, max_pixels)
    print_note_on_metadata(image, quiet)
    with progress(f"encoding {source}", quiet):
        codec = open_codec(device, model, max_pixels)
        start = time.perf_counter()
        data = codec.encode(image, quality)
        seconds = time.perf_counter() - start
    write_output(target, data, force)
    bpp = 8 * len(data) / (image.width * image.height)
    if as_json:
        size = {"width": image.width, "height": image.height, "bytes": len(data), "bpp": bpp}
        names = {"input": source, "output": target, "quality": quality}
        print_json({**names, **size, "seconds": seconds})
    else:
        print_note(f"{target}: {len(data)} bytes, {bpp:.4f} bpp, {seconds:.2f} s", quiet)


def print_note_on_metadata(image: Image, quiet: bool) -> None:
    """Say what the file will lack, since its reader cannot know."""
    lost = [name for name in ("icc_profile", "exif", "xmp") if image.info.get(name)]
    if lost:
        print_note(f"s2lic: note: not kept in the file: {', '.join(lost)}", quiet)
