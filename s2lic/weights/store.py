"""Weights files: fp16 parameters, integer tables and their configuration in one safetensors file, hashed whole."""

from __future__ import annotations

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
from s2lic.entropy.exact.convert import quantised
from s2lic.entropy.exact.known_answer import answer, check
from s2lic.entropy.exact.networks import Z_ONE, ExactEntropy
from s2lic.entropy.exact.ranges import Ranges
from s2lic.entropy.latent_coder import LatentCoder
from s2lic.entropy.model import EntropyModel
from s2lic.entropy.tables import Tables, build_tables, row_count, row_scales
from s2lic.errors import WeightsError, WeightsHashError
from s2lic.files import read_bytes
from s2lic.model import S2LIC, Config, build, config
from s2lic.transform.config import TransformRow
from s2lic.weights.manifest import EXACT_PREFIX, ID_BYTES, TABLE_PREFIX, WeightsRow, retired_by_id


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


PRIOR_PREFIX, ANSWER = "entropy.prior.", "exact.known_answer"
# How integers are stored, by the last part of their name; others have 32 bits.
INT8 = ("shift", "logit_shift", "mean_exponent", "context_exponent")
INT64 = ("floor",)
INT16 = ("weight", "table", "slope", "exponential", "log_gain", "z_centre")
# Devices that have given a model's known answer in this process.
_CHECKED: set[tuple[bytes, str]] = set()


@dataclass(frozen=True)
class Weights:
    """A model ready to code: the networks in float32, the exact ones that symbols hang on, its tables and its id.

    The float entropy model is what an encoder searches with, and what its h_a and gains are taken from.
    """

    model: S2LIC
    exact: ExactEntropy
    tables: Tables
    model_id: bytes

    @cached_property
    def coder(self) -> LatentCoder:
        """What codes latents with these weights."""
        return LatentCoder(self.model.entropy, self.exact, self.tables)


def export(model: S2LIC, made: Mapping[str, Tensor]) -> bytes:
    """The weights file of a trained model: parameters rounded to fp16, and what `make` gives for its entropy model.

    The factorised prior itself is left out: its tables stand for it. Where the entropy model is that of another file,
    `made` are that file's. Raises WeightsError for a weight that fp16 cannot hold.
    """
    tensors = dict(made)
    for name, value in model.state_dict().items():
        if not name.startswith(PRIOR_PREFIX):
            tensors[name] = _half(name, value)
    return serialise(tensors, metadata={"row": to_text(model.row)})


def make(entropy: EntropyModel, ranges: Ranges) -> dict[str, Tensor]:
    """Tables, exact networks and their known answer for a trained entropy model, whose layers gave values in `ranges`.

    Moves the centres of z to the medians of its prior, on the grid that decoders have. Raises WeightsError for a
    weight that fp16 cannot hold.
    """
    for name, value in entropy.state_dict().items():
        _half(name, value)
    entropy.centre()
    entropy.z_centre.copy_((entropy.z_centre * Z_ONE).round() / Z_ONE)  # tables and decoder must mean the same numbers
    pmfs = [(first, mass.numpy()) for first, mass in entropy.prior.pmfs(entropy.z_centre)]
    tables = _as_tensors(build_tables(pmfs, row_scales(row_count(entropy.row.sigma_max))))
    return {**tables, **make_exact(entropy, ranges)}


def made_of(weights: Weights) -> dict[str, Tensor]:
    """What `make` gave for these weights."""
    found = {EXACT_PREFIX + name: value.to("cpu", _integer_type(name)) for name, value in weights.exact.tensors.items()}
    known = torch.tensor([answer(weights.exact, weights.exact.tensors["z_centre"].device)])
    return {**_as_tensors(weights.tables), **found, ANSWER: known}


@torch.inference_mode()
def make_exact(entropy: EntropyModel, ranges: Ranges) -> dict[str, Tensor]:
    """The exact networks and their known answer alone."""
    integers = quantised(entropy, ranges)
    networks = ExactEntropy(entropy.row, {name: value.float() for name, value in integers.items()})
    found = {EXACT_PREFIX + name: value.to(_integer_type(name)).contiguous() for name, value in integers.items()}
    return {**found, ANSWER: torch.tensor([answer(networks, torch.device("cpu"))])}


def _integer_type(name: str) -> torch.dtype:
    last = name.rpartition(".")[2]
    kinds = {torch.int8: INT8, torch.int16: INT16, torch.int64: INT64}
    return next((kind for kind, names in kinds.items() if last in names), torch.int32)


def retabled(data: bytes, tables: Tables) -> bytes:
    """A weights file with other tables of the same rows; it is a model of its own."""
    return serialise({**parse(data), **_as_tensors(tables)}, metadata={"row": to_text(config_of(data))})


def _as_tensors(tables: Tables) -> dict[str, Tensor]:
    return {TABLE_PREFIX + name: torch.from_numpy(array) for name, array in tables.to_arrays().items()}


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
    """The weights of a file's bytes; `path` is what an error calls them.

    Raises WeightsError, or InexactDeviceError if the device does not give the known answer of the exact networks.
    """
    model_id = hashlib.sha256(data).digest()[:ID_BYTES]
    try:
        tensors = parse(data)
        model = build(config_of(data))
        arrays = {k: tensors.pop(k).numpy() for k in list(tensors) if k.startswith(TABLE_PREFIX)}
        integers = {k: tensors.pop(k) for k in list(tensors) if k.startswith(EXACT_PREFIX)}
        _fill(model, tensors)
        exact = _exact(model.row, integers, model_id, device)
    except (SafetensorError, ValueError, LookupError, TypeError, ArithmeticError, RuntimeError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}{_older(model_id)}") from error
    tables = Tables.from_arrays({k.removeprefix(TABLE_PREFIX): v for k, v in arrays.items()})
    _check_tables(tables, model, path)
    return Weights(model.eval().requires_grad_(False).to(device), exact, tables, model_id)


def _exact(row: Config, integers: dict[str, Tensor], model_id: bytes, device: str) -> ExactEntropy:
    """The exact networks, once the device has given their known answer, which also holds their shapes together."""
    if ANSWER not in integers:
        raise ValueError("it has no exact networks, as files before arithmetic profile 2; export its checkpoint again")
    known = int(integers.pop(ANSWER).item())
    tensors = {k.removeprefix(EXACT_PREFIX): v.to(device, torch.float32) for k, v in integers.items()}
    networks = ExactEntropy(row.entropy, tensors)
    if (model_id, str(device)) not in _CHECKED:
        check(networks, torch.device(device), known)
        _CHECKED.add((model_id, str(device)))
    return networks


def _older(model_id: bytes) -> str:
    """The end of a message, if it is about weights that shipped before."""
    old = retired_by_id(model_id)
    return "" if old is None else f"; it is {model_id.hex()}, {old}"


def config_of(data: bytes) -> Config:
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
    if tables.gaussian_count != row_count(row.sigma_max):
        raise WeightsError(f"{path} has tables for {tables.gaussian_count} rows of y, not {row_count(row.sigma_max)}")
