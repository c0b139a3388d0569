"""Arguments and options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from s2lic.defaults import DEFAULT_MAX_PIXELS
from s2lic.errors import UsageError
from s2lic.runtime import DeviceName


class TuneName(str, Enum):
    """Values of `--tune`, those of TUNES."""

    visual = "visual"
    psnr = "psnr"


class RuntimeName(str, Enum):
    """Values of `--runtime`."""

    auto = "auto"
    torch = "torch"
    onnx = "onnx"


Number = TypeVar("Number", int, float)


def decimals(option: str, text: str) -> list[float]:
    """The numbers in a comma-separated list, sorted, without duplicates. Raises UsageError."""
    return sorted(set(_split(option, text, float, "numbers")))


def counts(option: str, text: str) -> list[int]:
    """The integers in a comma-separated list, all 1 or more. Raises UsageError."""
    found = _split(option, text, int, "whole numbers")
    if min(found) < 1:
        raise UsageError(f"{option} takes numbers from 1 up, not {text!r}")
    return found


def _split(option: str, text: str, kind: Callable[[str], Number], what: str) -> list[Number]:
    try:
        return [kind(word) for word in text.split(",")]
    except ValueError as error:
        raise UsageError(f"{option} takes {what} separated by commas, not {text!r}") from error


Inputs = Annotated[list[str], typer.Argument(metavar="INPUT", help="Files and folders, or - for stdin.")]
InputsOutput = Annotated[
    list[str] | None,
    typer.Argument(metavar="INPUT", help="Files and folders, or - for stdin; or one file and its output."),
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", help="A file, or - for stdout. [default: named after the input]"),
]
Outdir = Annotated[
    Path | None,
    typer.Option("--outdir", help="Folder for the outputs, created if missing. Keeps the subfolders of the inputs."),
]
Recursive = Annotated[bool, typer.Option("-r", "--recursive", help="Search folders recursively.")]
FilesFrom = Annotated[
    str | None,
    typer.Option("--files-from", help="Read more inputs from this file, or - for stdin, one per line."),
]


def _jobs(text: str | int) -> int:
    """A number, or `all` for the number of CPUs that this process may use."""
    if text == "all":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise typer.BadParameter(f"{text!r} is neither a number from 1 up nor 'all'")
    return count


Jobs = Annotated[
    int,
    typer.Option(
        "-j",
        "--jobs",
        parser=_jobs,
        metavar="N|all",
        help="Number of files, or tiles of a single file, at a time.",
    ),
]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Skip outputs that exist and are complete, to resume a stopped run.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the output.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Print the runtime, and the traceback of an error.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Model = Annotated[
    str | None,
    typer.Option("--model", help="Name of shipped weights, or a weights file. [default: small, nano with --tune psnr]"),
]
Tune = Annotated[
    TuneName | None,
    typer.Option("--tune", help="Use weights tuned for visual quality or for PSNR. [default: visual if it ships]"),
]
Cond = Annotated[
    Path | None,
    typer.Option("--cond", help="A .npy of condition values, for a model that was trained with `train --cond`."),
]
Strip = Annotated[bool, typer.Option("--strip", help="Remove ICC profile, Exif and XMP.")]


def _let_pillow_open(pixels: int) -> int:
    """Raise Pillow's own limit to that of the option. Only the command line may change this global setting."""
    if pixels > DEFAULT_MAX_PIXELS:
        from PIL import Image

        Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS and max(Image.MAX_IMAGE_PIXELS, pixels)
    return pixels


MaxPixels = Annotated[
    int,
    typer.Option(
        "--max-pixels",
        min=1,
        callback=_let_pillow_open,
        help="Refuse images with more pixels. They take 4 to 12 bytes of memory per pixel.",
    ),
]


Runtime = Annotated[
    RuntimeName,
    typer.Option("--runtime", help="torch or onnxruntime; auto uses torch if it is installed."),
]
# A GPU pays off for many or large images. For a single one, starting it takes longer than coding.
Device = Annotated[DeviceName, typer.Option("--device", help="Device to compute on; auto uses a GPU if there is one.")]
