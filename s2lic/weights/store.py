"""Weights files: fp16 parameters, integer tables and their configuration in one safetensors file, hashed whole."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise
from torch import Tensor

from s2lic.entropy.config import EntropyRow
from s2lic.entropy.model import EntropyModel
from s2lic.entropy.tables import Tables, build_tables
from s2lic.errors import WeightsError, WeightsHashError
from s2lic.files import read_bytes
from s2lic.model import S2LIC, Config, build, config
from s2lic.transform.config import TransformRow
from s2lic.weights.manifest import ID_BYTES, TABLE_PREFIX, WeightsRow, retired_by_id


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


PRIOR_PREFIX = "entropy.prior."


@dataclass(frozen=True)
class Weights:
    """A model ready to code: g_a and g_s in float32, the entropy model in float64, its tables and its id."""

    model: S2LIC
    tables: Tables
    model_id: bytes

    @cached_property
    def quick_entropy(self) -> EntropyModel:
        """The entropy model in float32: good enough to search with, not to code with."""
        return copy.deepcopy(self.model.entropy).float()


def export(model: S2LIC, scales: tuple[float, ...], reach: int, tables: Mapping[str, Tensor] | None = None) -> bytes:
    """The weights file of a trained model: parameters rounded to fp16, tables made once from them.

    The factorised prior itself is left out: its tables stand for it. `tables` are those of the file that the entropy
    model comes from, if it did not change. Raises WeightsError for a weight that fp16 cannot hold.
    """
    tensors = dict(tables or _tables(model.entropy, scales, reach))
    for name, value in model.state_dict().items():
        if not name.startswith(PRIOR_PREFIX):
            tensors[name] = _half(name, value)
    return serialise(tensors, metadata={"row": to_text(model.row)})


def retabled(data: bytes, tables: Tables) -> bytes:
    """A weights file with other tables of the same rows; it is a model of its own."""
    return serialise({**parse(data), **_as_tensors(tables)}, metadata={"row": to_text(_row(data))})


def _as_tensors(tables: Tables) -> dict[str, Tensor]:
    return {TABLE_PREFIX + name: torch.from_numpy(array) for name, array in tables.to_arrays().items()}


def _tables(entropy: EntropyModel, scales: tuple[float, ...], reach: int) -> dict[str, Tensor]:
    entropy.centre()
    entropy.z_centre.copy_(entropy.z_centre.half())  # tables and decoder must mean the same numbers
    pmfs = [(first, mass.numpy()) for first, mass in entropy.prior.pmfs(entropy.z_centre)]
    return _as_tensors(build_tables(pmfs, scales, reach))


def _half(name: str, value: Tensor) -> Tensor:
    half = value.detach().half().contiguous()
    if not half.isfinite().all():
        raise WeightsError(f"{name} holds a value that fp16 cannot: train on with a lower rate")
    return half


def load(path: Path, device: str = "cpu") -> Weights:
    """Reads a weights file. Raises InputMissingError, or WeightsError if it is damaged or of another shape."""
    return parsed(read_bytes(path), path, device)


def load_shipped(row: WeightsRow, device: str = "cpu") -> Weights:
    """Reads the weights of a row.

    Raises WeightsHashError if they are not those that the row names, WeightsError if they cannot be read.
    """
    try:
        data = row.path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{row.path} cannot be read as weights: {error.strerror}; reinstall s2lic") from error
    if hashlib.sha256(data).hexdigest() != row.sha256:
        raise WeightsHashError(f"{row.path} is not the file that ships with this release; reinstall s2lic")
    return parsed(data, row.path, device)


def parsed(data: bytes, path: Path, device: str = "cpu") -> Weights:
    """The weights of a file's bytes; `path` is what an error calls them. Raises WeightsError."""
    model_id = hashlib.sha256(data).digest()[:ID_BYTES]
    try:
        tensors = parse(data)
        model = build(_row(data))
        arrays = {k: tensors.pop(k).numpy() for k in list(tensors) if k.startswith(TABLE_PREFIX)}
        _fill(model, tensors)
    except (SafetensorError, ValueError, LookupError, TypeError, ArithmeticError, RuntimeError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}{_older(model_id)}") from error
    tables = Tables.from_arrays({k.removeprefix(TABLE_PREFIX): v for k, v in arrays.items()})
    _check_tables(tables, model, path)
    model.entropy.double()
    return Weights(model.eval().requires_grad_(False).to(device), tables, model_id)


def _older(model_id: bytes) -> str:
    """The end of a message, if it is about weights that shipped before."""
    old = retired_by_id(model_id)
    return "" if old is None else f"; it is {model_id.hex()}, {old}"


def _row(data: bytes) -> Config:
    """The configuration that the file holds; one that only names it means that of today."""
    length = int.from_bytes(data[:8], "little")
    found: dict[str, str] = json.loads(data[8 : 8 + length])["__metadata__"]
    return from_text(found["row"]) if "row" in found else config(found["config"])


def _fill(model: S2LIC, tensors: dict[str, Tensor]) -> None:
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    odd = [name for name in missing if not name.startswith(PRIOR_PREFIX)] or unexpected
    if odd:
        raise ValueError(f"it does not fit its configuration in {', '.join(odd)}")
    for name, value in tensors.items():
        if not value.isfinite().all():
            raise ValueError(f"{name} holds what is not a finite number")


def _check_tables(tables: Tables, model: S2LIC, path: Path) -> None:
    row = model.row.entropy
    if tables.gaussian_first != row.anchors * row.side:
        raise WeightsError(f"{path} has tables for {tables.gaussian_first} rows of z, not {row.anchors} x {row.side}")
