"""What a weights file says of itself at its beginning; reads no weights and imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from s2lic.errors import WeightsError

TABLE_PREFIX = "tables."


@dataclass(frozen=True)
class FileFacts:
    """The file's size, and the number of weights in it."""

    bytes: int
    parameters: int


def file_facts(path: Path) -> FileFacts:
    """The facts of a weights file. Raises WeightsError if it is missing or damaged."""
    try:
        with safe_open(path, framework="np") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys() if not name.startswith(TABLE_PREFIX)]  # noqa: SIM118
        return FileFacts(path.stat().st_size, sum(map(math.prod, shapes)))
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error
