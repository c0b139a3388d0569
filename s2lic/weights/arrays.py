"""A weights file as numpy arrays, for decoders without torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from s2lic.entropy.config import EntropyRow
from s2lic.entropy.tables import Tables, row_count
from s2lic.errors import WeightsError
from s2lic.files import read_bytes
from s2lic.transform.config import TransformRow
from s2lic.weights.lookup import read_by_id, read_shipped
from s2lic.weights.manifest import EXACT_PREFIX, ID_BYTES, NO_EXACT, TABLE_PREFIX, WeightsRow

ANSWER = "exact.known_answer"


@dataclass(frozen=True, eq=False)
class WeightArrays:
    """The contents of a weights file.

    Attributes:
        config: The name of its configuration.
        transform: The sizes of g_a and g_s.
        entropy: The sizes of the entropy model.
        parameters: Those of the float networks, by name, float16.
        exact: The integers of the exact networks, by name without `exact.`.
        tables: The tables of the range coder.
        known_answer: What the exact networks give in one fixed case.
        digest: The SHA-256 of the file.
    """

    config: str
    transform: TransformRow
    entropy: EntropyRow
    parameters: dict[str, NDArray[np.generic]]
    exact: dict[str, NDArray[np.generic]]
    tables: Tables
    known_answer: int
    digest: bytes

    @property
    def tune(self) -> str:
        """What the set was trained for, a word of TUNES."""
        return self.config.partition("+tune=")[2] or "psnr"

    @property
    def model_id(self) -> bytes:
        """What files name the model by."""
        return self.digest[:ID_BYTES]


def load_arrays(path: Path) -> WeightArrays:
    """Reads a weights file. Raises InputMissingError, or WeightsError if it is damaged."""
    return parse_arrays(read_bytes(path), path)


def load_shipped_arrays(row: WeightsRow) -> WeightArrays:
    """Reads the weights of a row. Raises WeightsHashError or WeightsError."""
    return parse_arrays(read_shipped(row), row.path)


def load_arrays_by_id(model_id: bytes) -> WeightArrays:
    """Reads the weights that a file was coded with. Raises as `read_by_id` does."""
    return parse_arrays(*read_by_id(model_id))


def parse_arrays(data: bytes, path: Path) -> WeightArrays:
    """Reads weights from the bytes of a file.

    Args:
        data: The file's content.
        path: The file's name for error messages.

    Raises:
        WeightsError: The content is damaged or does not fit its configuration.
    """
    from safetensors.numpy import load

    try:
        arrays, (name, transform, entropy) = load(data), _rows(data)
        tables = Tables.from_arrays(_under(TABLE_PREFIX, arrays))
        exact = _under(EXACT_PREFIX, arrays)
        if ANSWER not in arrays:
            raise ValueError(NO_EXACT)
        known = int(exact.pop(ANSWER.removeprefix(EXACT_PREFIX)).item())
    except (SafetensorError, ValueError, LookupError, TypeError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error
    first, rows = entropy.anchors * entropy.side, row_count(entropy.sigma_max)
    if (tables.gaussian_first, tables.gaussian_count) != (first, rows):
        raise WeightsError(f"{path} has tables for other rows than the {first} of z and {rows} of y")
    parameters = {key: value for key, value in arrays.items() if not key.startswith((TABLE_PREFIX, EXACT_PREFIX))}
    digest = hashlib.sha256(data).digest()
    return WeightArrays(name, transform, entropy, parameters, exact, tables, known, digest)


def _under(prefix: str, arrays: dict[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}


def _rows(data: bytes) -> tuple[str, TransformRow, EntropyRow]:
    length = int.from_bytes(data[:8], "little")
    row = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["row"])
    return row["name"], TransformRow(**_frozen(row["transform"])), EntropyRow(**_frozen(row["entropy"]))


def _frozen(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
