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
    """What `--tune` takes: the words of TUNES."""

    visual = "visual"
    psnr = "psnr"


class RuntimeName(str, Enum):
    """What `--runtime` takes."""

    auto = "auto"
    torch = "torch"
    onnx = "onnx"


Number = TypeVar("Number", int, float)


def decimals(option: str, text: str) -> list[float]:
    """From the smallest, each once. Raises UsageError."""
    return sorted(set(_split(option, text, float, "numbers")))


def counts(option: str, text: str) -> list[int]:
    """Whole numbers from 1 up, in their order. Raises UsageError."""
    found = _split(option, text, int, "whole numbers")
    if min(found) < 1:
        raise UsageError(f"{option} takes numbers from 1 up, not {text!r}")
    return found


def _split(option: str, text: str, kind: Callable[[str], Number], what: str) -> list[Number]:
    try:
        return [kind(word) for word in text.split(",")]
    except ValueError as error:
        raise UsageError(f"{option} takes {what} with commas between, not {text!r}") from error


Inputs = Annotated[list[str], typer.Argument(metavar="INPUT", help="Files and folders, or - for stdin.")]
InputsOutput = Annotated[
    list[str] | None,
    typer.Argument(metavar="INPUT", help="Files and folders, or - for stdin; or a file and its output."),
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", help="A file, or - for stdout. [default: named after the input]"),
]
Outdir = Annotated[
    Path | None,
    typer.Option("--outdir", help="A folder for the outputs, made if it is not there; keeps the inputs' folders."),
]
Recursive = Annotated[bool, typer.Option("-r", "--recursive", help="Look into the folders of folders too.")]
FilesFrom = Annotated[
    str | None,
    typer.Option("--files-from", help="Also the inputs that a file, or - for stdin, names one per line."),
]


def _jobs(text: str | int) -> int:
    """A count, or `all` for the processors that this process may use."""
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
        "-j", "--jobs", parser=_jobs, metavar="N|all", help="How many files, or tiles of a single file, at a time."
    ),
]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave outputs that are there and whole; goes on with a stopped run.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the output.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Name the runtime, and show the traceback of an error.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Model = Annotated[
    str | None,
    typer.Option("--model", help="Shipped weights by name, or a weights file. [default: small, nano with --tune psnr]"),
]
Tune = Annotated[
    TuneName | None,
    typer.Option("--tune", help="Which weights: for the eye, or for PSNR. [default: visual where it ships]"),
]
Cond = Annotated[
    Path | None,
    typer.Option("--cond", help="A .npy of what the encoder is told of the pictures, for a model that was trained so."),
]
Strip = Annotated[bool, typer.Option("--strip", help="Leave out ICC profile, Exif and XMP.")]


def _let_pillow_open(pixels: int) -> int:
    """Lift Pillow's own limit to what the option allows: a process of the command line is ours, a library's is not."""
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
        help="Refuse larger pictures, which take 4 to 12 bytes a pixel.",
    ),
]


Runtime = Annotated[
    RuntimeName,
    typer.Option("--runtime", help="What computes: torch, or onnxruntime; auto takes torch where it is installed."),
]
# A GPU pays for itself on many or large pictures; for one, starting it takes longer than coding.
Device = Annotated[DeviceName, typer.Option("--device", help="Where to compute; auto takes a GPU if it can.")]
