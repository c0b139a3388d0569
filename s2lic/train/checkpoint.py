"""Checkpoints: weights, their average, the optimiser's state, and the position in the run."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from s2lic.errors import BlockChoiceError, UnknownConfigError, WeightsError
from s2lic.files import make_folder, write_atomically

Tensors = tuple[Tensor, ...] | list[Tensor]

EMA_DECAY = 0.995  # an average over about the last 1 / (1 - 0.995) = 200 steps


def averaged(model: nn.Module) -> AveragedModel:
    """A copy of the model whose weights and buffers are moving averages of those of `model`.

    `update_parameters(model)` updates it. It averages over fewer steps at the start, to forget the initial weights.
    """
    return AveragedModel(model, multi_avg_fn=_move, use_buffers=True)


def resume_average(average: AveragedModel, weights: dict[str, Tensor], updates: int) -> None:
    """Continues from `weights`, the average after `updates` updates."""
    average.module.load_state_dict(weights)
    average.n_averaged.fill_(updates)


def _move(average: Tensors, now: Tensors, updates: Tensor | int) -> None:
    if average[0].is_floating_point():  # tables of indices are constants
        count = int(updates)
        get_ema_multi_avg_fn(min(EMA_DECAY, (2 + count) / (11 + count)))(average, now, updates)


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes a checkpoint atomically: a killed run never leaves half of one.

    Raises:
        OutputPlaceError: The folder cannot be made.
        OutputUnwritableError: The file cannot be written.
    """
    data = io.BytesIO()
    torch.save(state, data)
    make_folder(path.parent)
    write_atomically(path, data.getvalue(), force=True)


def load(path: Path, config: str | None = None) -> dict[str, Any]:
    """Reads a checkpoint. Raises WeightsError if it is damaged, or of another configuration than `config`."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        found = state["config"]
    except (OSError, EOFError, ValueError, TypeError, RuntimeError, LookupError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"{path} cannot be read as a checkpoint: it is damaged, or no last.pt of a training run"
        ) from error
    if config is not None and found != config:
        raise WeightsError(f"{path} has the configuration '{found}', not '{config}'; give another --out")
    return state


@contextmanager
def fitting(path: Path, config: str) -> Iterator[None]:
    """Turns errors of loading a state into WeightsError: the checkpoint does not fit this release's configuration.

    A configuration or block that no longer exists is the file's fault here, not the caller's.
    """
    try:
        yield
    except (UnknownConfigError, BlockChoiceError, RuntimeError, LookupError, TypeError) as error:
        fault = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise WeightsError(
            f"{path} does not fit the configuration '{config}' of this release; use the release that trained it, "
            f"or train again: {fault}"
        ) from error


INDEX = "index.json"
# The optimiser's state is a noisy running mean and tolerates bfloat16. Weights do not, and their average ships.
EXACT = ("model", "average")


def slim(state: Any, exact: bool = False) -> Any:
    """A copy of the state with float32 tensors in bfloat16, except those under the keys EXACT."""
    if isinstance(state, dict):
        return {k: slim(v, exact or k in EXACT) for k, v in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(slim(v, exact) for v in state)
    if isinstance(state, Tensor) and state.dtype == torch.float32 and not exact and state.dim() > 0:
        return state.bfloat16()
    return state


def widen(state: Any) -> Any:
    """A copy of the state with bfloat16 tensors in float32."""
    if isinstance(state, dict):
        return {k: widen(v) for k, v in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(map(widen, state))
    return state.float() if isinstance(state, Tensor) and state.dtype == torch.bfloat16 else state


def write_parts(state: dict[str, Any], folder: Path, part_bytes: int) -> list[Path]:
    """Writes the state as files of at most `part_bytes` bytes and an index, then removes older parts.

    Raises:
        OutputPlaceError: The folder cannot be made.
        OutputUnwritableError: A file cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    make_folder(folder)
    chunks = [data[i : i + part_bytes] for i in range(0, len(data), part_bytes)]
    names = [f"{digest[:12]}-{i:02d}.part" for i in range(len(chunks))]
    for name, chunk in zip(names, chunks, strict=True):
        write_atomically(folder / name, chunk, force=True)
    write_atomically(folder / INDEX, json.dumps({"sha256": digest, "parts": names}).encode(), force=True)
    for old in set(folder.glob("*.part")) - {folder / name for name in names}:
        old.unlink()
    return [folder / name for name in names]


def read_parts(folder: Path) -> dict[str, Any]:
    """Reads what `write_parts` wrote. Raises WeightsError if a part is missing or damaged."""
    try:
        index = json.loads((folder / INDEX).read_text())
        data = b"".join((folder / name).read_bytes() for name in index["parts"])
        if hashlib.sha256(data).hexdigest() != index["sha256"]:
            raise WeightsError(f"the parts in {folder} are damaged: their hash differs from the one in the index")
        state: dict[str, Any] = torch.load(io.BytesIO(data), weights_only=True)
        if "config" not in state:
            raise WeightsError(f"the parts in {folder} name no configuration; they are not parts of a checkpoint")
    except (OSError, ValueError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{folder} holds neither last.pt nor all parts of a checkpoint") from error
    return state
