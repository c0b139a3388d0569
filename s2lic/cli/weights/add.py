"""`s2lic weights add` and `weights fetch`: sets of other releases, for the files that were coded with them."""

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
    str | None, typer.Option("--url", help="Where ID.safetensors lies. [default: the variable S2LIC_WEIGHTS_URL]")
]


def add(source: Source, quiet: Quiet = False, as_json: Json = False) -> None:
    """Copy a weights file to where files of its model find it."""
    from s2lic.weights.fetch import add as add_file

    _tell(add_file(source), quiet, as_json)


def fetch(model_id: ModelId, url: Url = None, quiet: Quiet = False, as_json: Json = False) -> None:
    """Download the weights of a model by its id, and check them against it."""
    from s2lic.weights.fetch import fetch as fetch_set

    if not re.fullmatch("[0-9a-f]{16}", model_id):
        raise UsageError(f"a model's id has 16 digits of 0 to 9 and a to f, not {model_id!r}; see `s2lic info FILE`")
    _tell(fetch_set(bytes.fromhex(model_id), url), quiet, as_json)


def _tell(path: Path, quiet: bool, as_json: bool) -> None:
    if as_json:
        print_json({"model_id": path.stem, "output": str(path), "bytes": path.stat().st_size})
    else:
        print_note(f"{path}: files of model {path.stem} can be decoded", quiet)
