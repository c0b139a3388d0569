"""`s2lic weights add` and `weights fetch`: install weights of other releases, to decode their files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from s2lic.cli.options import Json, Quiet
from s2lic.cli.streams import print_json, print_note
from s2lic.errors import UsageError

Source = Annotated[Path, typer.Argument(metavar="FILE", help="A weights file.")]
ModelId = Annotated[str, typer.Argument(metavar="ID", help="The model's id, as `s2lic info` shows it.")]
Url = Annotated[
    str | None, typer.Option("--url", help="Folder URL of ID.safetensors. [default: the variable S2LIC_WEIGHTS_URL]")
]


def add(source: Source, quiet: Quiet = False, as_json: Json = False) -> None:
    """Install a weights file, so that files of its model decode without --model."""
    from s2lic.weights.fetch import add as add_file

    _tell(add_file(source), quiet, as_json)


def fetch(model_id: ModelId, url: Url = None, quiet: Quiet = False, as_json: Json = False) -> None:
    """Download the weights of a model by its id, and verify them."""
    from s2lic.weights.fetch import fetch as fetch_set

    if not re.fullmatch("[0-9a-f]{16}", model_id):
        raise UsageError(f"a model id has 16 digits of 0 to 9 and a to f, not {model_id!r}; see `s2lic info FILE`")
    _tell(fetch_set(bytes.fromhex(model_id), url), quiet, as_json)


def _tell(path: Path, quiet: bool, as_json: bool) -> None:
    if as_json:
        print_json({"model_id": path.stem, "output": str(path), "bytes": path.stat().st_size})
    else:
        print_note(f"{path}: files of model {path.stem} can be decoded", quiet)
