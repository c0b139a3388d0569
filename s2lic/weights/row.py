"""A configuration as text: how a weights file says what it is, so that it outlives a change of the named ones."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from s2lic.entropy.config import EntropyRow
from s2lic.model import Config
from s2lic.transform.config import TransformRow


def to_text(row: Config) -> str:
    """The row as JSON."""
    return json.dumps(asdict(row))


def from_text(text: str) -> Config:
    """The row that `to_text` wrote. Raises ValueError, KeyError or TypeError for any other text."""
    found = json.loads(text)
    kinds = {"transform": TransformRow, "entropy": EntropyRow}
    return Config(**{**found, **{name: kind(**_frozen(found[name])) for name, kind in kinds.items()}})


def _frozen(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
