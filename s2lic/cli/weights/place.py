"""Checks the paths of weights files before they are written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from s2lic.cli.jobs import check_apart, places
from s2lic.errors import OutputFormatError
from s2lic.files import check_output


def check_weights(path: Path, force: bool, read: Iterable[Path | None]) -> None:
    """Check the path of a weights file before the work that produces it.

    Raises:
        OutputFormatError: The name does not end in .safetensors.
        UsageError: It is one of the files that are read.
        OutputExistsError: It exists, and `force` is not set.
        OutputPlaceError: It cannot be written there.
    """
    if path.suffix != ".safetensors":
        raise OutputFormatError(f"a weights file must be named NAME.safetensors, not {path}")
    check_apart(path, places(read))
    check_output(path, force)
