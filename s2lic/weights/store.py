"""Weights files: fp16 parameters and integer tables in one safetensors file, hashed whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise
from torch import Tensor

from s2lic.entropy.tables import Tables, build_tables
from s2lic.errors import UnknownConfigError, WeightsError
from s2lic.model import S2LIC, build
from s2lic.weights.manifest import ID_BYTES

TABLE_PREFIX = "tables."
PRIOR_PREFIX = "entropy.prior."


@dataclass(frozen=True)
class Weights:
    """A model ready to code: g_a and g_s in float32, the entropy model in float64, its tables and its id."""

    model: S2LIC
    tables: Tables
    model_id: bytes


def export(model: S2LIC, scales: tuple[float, ...], reach: int) -> bytes:
    """The weights file of a trained model: parameters rounded to fp16, tables made once from them.

    The factorised prior itself is left out: its tables stand for it. Raises WeightsError for a weight
    that fp16 cannot hold.
    """
    entropy = model.entropy
    entropy.centre()
    entropy.z_centre.copy_(entropy.z_centre.half())  # tables and decoder must mean the same numbers
    pmfs = [(first, mass.numpy()) for first, mass in entropy.prior.pmfs(entropy.z_centre)]
    tables = build_tables(pmfs, scales, reach)
    tensors = {TABLE_PREFIX + k: torch.from_numpy(v) for k, v in tables.to_arrays().items()}
    for name, value in model.state_dict().items():
        if not name.startswith(PRIOR_PREFIX):
            tensors[name] = _half(name, value)
    return serialise(tensors, metadata={"config": model.row.name})


def _half(name: str, value: Tensor) -> Tensor:
    half = value.detach().half().contiguous()
    if not half.isfinite().all():
        raise WeightsError(f"{name} holds a value that fp16 cannot: train on with a lower rate")
    return half


def load(path: Path, device: str = "cpu") -> Weights:
    """Reads a weights file. Raises WeightsError if it is missing, damaged or of another shape."""
    try:
        data = path.read_bytes()
        tensors = parse(data)
        name = _metadata(data)["config"]
        model = build(name)
    except (OSError, SafetensorError, ValueError, KeyError, UnknownConfigError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error
    arrays = {k: tensors.pop(k).numpy() for k in list(tensors) if k.startswith(TABLE_PREFIX)}
    tables = Tables.from_arrays({k.removeprefix(TABLE_PREFIX): v for k, v in arrays.items()})
    _fill(model, tensors, path)
    model.entropy.double()
    model_id = hashlib.sha256(data).digest()[:ID_BYTES]
    return Weights(model.eval().to(device), tables, model_id)


def _fill(model: S2LIC, tensors: dict[str, Tensor], path: Path) -> None:
    try:
        missing, unexpected = model.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit its configuration: {error}") from error
    missing = [name for name in missing if not name.startswith(PRIOR_PREFIX)]
    if missing or unexpected:
        raise WeightsError(f"{path} does not fit its configuration: {missing or unexpected}")


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    found: dict[str, str] = json.loads(data[8 : 8 + length])["__metadata__"]
    return found
