"""Where weights files may be written."""

from __future__ import annotations

from pathlib import Path

from s2lic.errors import OutputFormatError
from s2lic.files import check_output


def check_weights(path: Path, force: bool) -> None:
    """Refuse early a name that `--model` would not take for a file, or that cannot be written.

    Raises OutputFormatError, OutputExistsError, OutputPlaceError.
    """
    if path.suffix != ".safetensors":
        raise OutputFormatError(f"weights files are named NAME.safetensors, not {path}")
    check_output(path, force)
