"""`s2lic info`: the header in words; loads neither weights nor torch."""

from __future__ import annotations

import typer

from s2lic.bitstream import VERSION, Limits, describe, unpack
from s2lic.cli.options import Input, Json
from s2lic.cli.streams import print_json, read_input


def info(source: Input, as_json: Json = False) -> None:
    """Print what a file's header says."""
    data = read_input(source)
    # Looking costs nothing, however large the picture says it is.
    container = unpack(data, Limits(max_pixels=None))
    header = container.header
    facts = {
        "file": source,
        "format_version": VERSION,
        "bytes": len(data),
        "bpp": round(8 * len(data) / (header.width * header.height), 4),
        **describe(header),
        "payload_bytes": len(container.payload),
        "exceptions_bytes": len(container.exceptions),
    }
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):<18}{value}")
