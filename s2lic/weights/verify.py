"""Is a weights file whole, and which is it?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from s2lic.weights.manifest import file_facts, retired_by_id, rows
from s2lic.weights.store import Weights, load, load_shipped


@dataclass(frozen=True)
class Verified:
    """A file that can code. `standing` is in words: whether its set ships, did so once, or never."""

    config: str
    model_id: str
    bytes: int
    parameters: int
    standing: str


def verified(path: Path) -> Verified:
    """The facts of a weights file after its hash (if it ships), structure, tables and configuration were checked.

    Raises WeightsHashError or WeightsError for a damaged file, InputMissingError.
    """
    weights, size = _load(path), file_facts(path)
    return Verified(
        config=weights.model.row.name,
        model_id=weights.model_id.hex(),
        bytes=size.bytes,
        parameters=size.parameters,
        standing=_standing(weights.model_id),
    )


def _load(path: Path) -> Weights:
    for row in rows():
        if row.path.resolve() == path.resolve():
            return load_shipped(row)
    return load(path)


def _standing(model_id: bytes) -> str:
    if any(row.model_id == model_id for row in rows()):
        return "ships with this release"
    old = retired_by_id(model_id)
    return "not one that ships" if old is None else str(old)
