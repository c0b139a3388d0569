"""`s2lic decode`: the file back to a picture."""

from __future__ import annotations

import time

from s2lic.bitstream import DEFAULT_MAX_PIXELS, Limits, unpack
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
    read_input,
    write_output,
)


def decode(
    source: Input,
    output: Output = None,
    model: Model = None,
    device: Device = DeviceName.cpu,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Decode a file to PNG, or to the format that the output's extension names."""
    from s2lic.images import encode_image, format_of

    target = name_output(source, output, ".decoded.png")
    extension = ".png" if target == STANDARD else format_of(target)
    check_target(target, force, as_json)
    data = read_input(source)
    unpack(data, Limits(max_pixels))  # a broken file is told at once, before torch is loaded
    with progress(f"decoding {source}", quiet):
        codec = open_codec(device, model, max_pixels)
        start = time.perf_counter()
        image = codec.decode(data)
        seconds = time.perf_counter() - start
    write_output(target, encode_image(image, extension), force)
    if as_json:
        names = {"input": source, "output": target}
        print_json({**names, "width": image.width, "height": image.height, "seconds": seconds})
    else:
        print_note(f"{target}: {image.width} x {image.height}, {seconds:.2f} s", quiet)
