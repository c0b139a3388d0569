"""Where weights files may be written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from s2lic.cli.jobs import check_apart, places
from s2lic.errors import OutputFormatError
from s2lic.files import check_output


def check_weights(path: Path, force: bool, read: Iterable[Path | None]) -> None:
    """Refuse early a name that is no weights file's, that is an input's, or that cannot be written.

    Raises OutputFormatError, UsageError, OutputExistsError, OutputPlaceError.
    """
    if path.suffix != ".safetensors":
        raise OutputFormatError(f"weights files are named NAME.safetensors, not {path}")
    check_apart(path, places(read))
    check_output(path, force)
