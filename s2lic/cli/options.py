"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

Input = Annotated[str, typer.Argument(metavar="INPUT", help="A file, or - for stdin.")]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", help="A file, or - for stdout. [default: named after the input]"),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the output.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Model = Annotated[
    str | None,
    typer.Option("--model", help="Shipped weights by name, or a weights file. [default: shipped]"),
]
MaxPixels = Annotated[int, typer.Option("--max-pixels", min=1, help="Refuse larger pictures; memory grows with it.")]


class DeviceName(str, Enum):
    """What `--device` takes."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


# A GPU pays for itself on many or large pictures; for one, starting it takes longer than coding.
Device = Annotated[DeviceName, typer.Option("--device", help="Where to compute; auto takes a GPU if it can.")]
