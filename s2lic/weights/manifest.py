"""Which weights ship with the package: one row a configuration, in `manifest.json` beside the files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2lic.errors import UnknownConfigError, UnknownModelError, WeightsError

FOLDER = Path(__file__).parent
DEFAULT_MODEL = "nano"
ID_BYTES = 8


@dataclass(frozen=True)
class WeightsRow:
    """One shipped set: its configuration, file, hash and how it came about."""

    config: str
    file: str
    sha256: str
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def model_id(self) -> bytes:
        """What files name their model by: the first 8 bytes of the weights' SHA-256."""
        return bytes.fromhex(self.sha256)[:ID_BYTES]

    @property
    def path(self) -> Path:
        return FOLDER / self.file


def rows() -> tuple[WeightsRow, ...]:
    """Every set that ships. Raises WeightsError if the manifest cannot be read."""
    try:
        found = json.loads((FOLDER / "manifest.json").read_text())
        return tuple(WeightsRow(**row) for row in found)
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"the weights manifest is damaged: {error}; reinstall s2lic") from error


def by_config(name: str) -> WeightsRow:
    """The set of a configuration. Raises UnknownConfigError."""
    for row in rows():
        if row.config == name:
            return row
    shipped = ", ".join(row.config for row in rows())
    raise UnknownConfigError(f"no weights ship for '{name}'; there are {shipped}, or give a .safetensors file")


def by_id(model_id: bytes) -> WeightsRow:
    """The set that a file was coded with. Raises UnknownModelError."""
    for row in rows():
        if row.model_id == model_id:
            return row
    raise UnknownModelError(
        f"the file was coded with model {model_id.hex()}, which this release does not ship; "
        "give its weights with --model, or install the release of s2lic that wrote the file"
    )
