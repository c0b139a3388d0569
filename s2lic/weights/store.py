"""Weights files: fp16 parameters, integer tables, exact networks and the configuration in one safetensors file."""

from __future__ import annotations

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
from s2lic.entropy.exact.limits import Z_ONE
from s2lic.entropy.exact.networks import ExactEntropy
from s2lic.entropy.exact.ranges import Ranges
from s2lic.entropy.latent_coder import LatentCoder
from s2lic.entropy.model import EntropyModel
from s2lic.entropy.tables import Tables, build_tables, row_count, row_scales
from s2lic.errors import WeightsError
from s2lic.files import read_bytes
from s2lic.model import S2LIC, Config, build, config
from s2lic.transform.config import TransformRow
from s2lic.weights.lookup import id_of, read_by_id, read_shipped
from s2lic.weights.manifest import EXACT_PREFIX, NO_EXACT, TABLE_PREFIX, WeightsRow, retired_by_id


def to_text(row: Config) -> str:
    """The configuration as JSON."""
    return json.dumps(asdict(row))


def from_text(text: str) -> Config:
    """Reads a configuration that `to_text` wrote. Raises ValueError, KeyError or TypeError for any other text."""
    found = json.loads(text)
    kinds = {"transform": TransformRow, "entropy": EntropyRow}
    return Config(**{**found, **{name: kind(**_frozen(found[name])) for name, kind in kinds.items()}})


def _frozen(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


PRIOR_PREFIX, ANSWER = "entropy.prior.", "exact.known_answer"
# Integer types by the last part of a tensor's name; others are int32.
INT8 = ("shift", "logit_shift", "mean_exponent", "context_exponent")
INT64 = ("floor",)
INT16 = ("weight", "table", "slope", "exponential", "log_gain", "z_centre")
# Models and devices whose known answer was right in this process.
_CHECKED: set[tuple[bytes, str]] = set()


@dataclass(frozen=True)
class Weights:
    """A model ready to code: float32 networks, exact entropy networks, CDF tables, and the model's id.

    The encoder uses h_a and the gains of the float entropy model, and searches with it.
    """

    model: S2LIC
    exact: ExactEntropy
    tables: Tables
    model_id: bytes

    @cached_property
    def coder(self) -> LatentCoder:
        """The coder of latents with these weights."""
        return LatentCoder(self.model.entropy, self.exact, self.tables)


def export(model: S2LIC, made: Mapping[str, Tensor]) -> bytes:
    """Serialises a trained model.

    The factorised prior is left out, because tables replace it.

    Args:
        model: The model. Its parameters are rounded to fp16.
        made: What `make` returned for its entropy model, or for the codec whose entropy model it shares.

    Returns:
        The bytes of a weights file.

    Raises:
        WeightsError: fp16 cannot hold a weight.
    """
    tensors = dict(made)
    for name, value in model.state_dict().items():
        if not name.startswith(PRIOR_PREFIX):
            tensors[name] = _half(name, value)
    return serialise(tensors, metadata={"row": to_text(model.row)})


def make(entropy: EntropyModel, ranges: Ranges) -> dict[str, Tensor]:
    """Derives tables, exact networks and their known answer from a trained entropy model.

    This moves the centres of z to the medians of its prior, on the decoder's grid.

    Args:
        entropy: The entropy model.
        ranges: The ranges of its layers' values, from `observe`.

    Raises:
        WeightsError: fp16 cannot hold a weight.
    """
    for name, value in entropy.state_dict().items():
        _half(name, value)
    entropy.centre()
    entropy.z_centre.copy_((entropy.z_centre * Z_ONE).round() / Z_ONE)  # so that tables and decoder agree
    pmfs = [(first, mass.numpy()) for first, mass in entropy.prior.pmfs(entropy.z_centre)]
    tables = _as_tensors(build_tables(pmfs, row_scales(row_count(entropy.row.sigma_max))))
    return {**tables, **make_exact(entropy, ranges)}


def made_of(weights: Weights) -> dict[str, Tensor]:
    """The tensors that `make` returned for these weights."""
    found = {EXACT_PREFIX + name: value.to("cpu", _integer_type(name)) for name, value in weights.exact.tensors.items()}
    known = torch.tensor([answer(weights.exact, weights.exact.tensors["z_centre"].device)])
    return {**_as_tensors(weights.tables), **found, ANSWER: known}


@torch.inference_mode()
def make_exact(entropy: EntropyModel, ranges: Ranges) -> dict[str, Tensor]:
    """Derives the exact networks and their known answer, without tables."""
    integers = quantised(entropy, ranges)
    networks = ExactEntropy(entropy.row, {name: value.float() for name, value in integers.items()})
    found = {EXACT_PREFIX + name: value.to(_integer_type(name)).contiguous() for name, value in integers.items()}
    return {**found, ANSWER: torch.tensor([answer(networks, torch.device("cpu"))])}


def _integer_type(name: str) -> torch.dtype:
    last = name.rpartition(".")[2]
    kinds = {torch.int8: INT8, torch.int16: INT16, torch.int64: INT64}
    return next((kind for kind, names in kinds.items() if last in names), torch.int32)


def with_tables(data: bytes, tables: Tables) -> bytes:
    """Returns a weights file with other tables of the same rows. It has its own model id."""
    return serialise({**parse(data), **_as_tensors(tables)}, metadata={"row": to_text(config_of(data))})


def _as_tensors(tables: Tables) -> dict[str, Tensor]:
    return {TABLE_PREFIX + name: torch.from_numpy(array) for name, array in tables.to_arrays().items()}


def _half(name: str, value: Tensor) -> Tensor:
    half = value.detach().half().contiguous()
    if not half.isfinite().all():
        raise WeightsError(f"{name} holds a value that fp16 cannot represent; continue the training at a lower rate")
    return half


def load(path: Path, device: str = "cpu") -> Weights:
    """Reads a weights file. Raises InputMissingError, or WeightsError if it is damaged or does not fit."""
    return load_bytes(read_bytes(path), path, device)


def load_shipped(row: WeightsRow, device: str = "cpu") -> Weights:
    """Reads a shipped set.

    Raises:
        WeightsHashError: The file's hash differs from the manifest.
        WeightsError: The file cannot be read.
    """
    return load_bytes(read_shipped(row), row.path, device)


def load_by_id(model_id: bytes, device: str = "cpu") -> Weights:
    """Reads the weights that a file was coded with. Raises as `read_by_id` does."""
    return load_bytes(*read_by_id(model_id), device)


def load_bytes(data: bytes, path: Path, device: str = "cpu") -> Weights:
    """Reads weights from the bytes of a file.

    Args:
        data: The file's content.
        path: The file's name for error messages.
        device: Where to compute.

    Raises:
        WeightsError: The content is damaged or does not fit its configuration.
        InexactDeviceError: The exact networks do not give their known answer on the device.
    """
    model_id = id_of(data)
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
    """Builds the exact networks and checks their known answer on the device, and so their shapes."""
    if ANSWER not in integers:
        raise ValueError(NO_EXACT)
    known = int(integers.pop(ANSWER).item())
    tensors = {k.removeprefix(EXACT_PREFIX): v.to(device, torch.float32) for k, v in integers.items()}
    networks = ExactEntropy(row.entropy, tensors)
    if (model_id, str(device)) not in _CHECKED:
        check(networks, torch.device(device), known)
        _CHECKED.add((model_id, str(device)))
    return networks


def _older(model_id: bytes) -> str:
    """The end of an error message about weights that shipped earlier."""
    old = retired_by_id(model_id)
    return "" if old is None else f"; it is {model_id.hex()}, {old}"


def config_of(data: bytes) -> Config:
    """The configuration in a file. If the file only names it, it is that of this release."""
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
            raise ValueError(f"{name} holds a value that is not finite")


def _check_tables(tables: Tables, model: S2LIC, path: Path) -> None:
    row = model.row.entropy
    if tables.gaussian_first != row.anchors * row.side:
        raise WeightsError(f"{path} has tables for {tables.gaussian_first} rows of z, not {row.anchors} x {row.side}")
    if tables.gaussian_count != row_count(row.sigma_max):
        raise WeightsError(f"{path} has tables for {tables.gaussian_count} rows of y, not {row_count(row.sigma_max)}")
