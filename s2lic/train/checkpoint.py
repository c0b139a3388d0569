"""Everything a run needs to go on: weights, their average, optimiser state, position."""

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

    `update_parameters(model)` moves it. The average is short at the start, so that it forgets the start.
    """
    return AveragedModel(model, multi_avg_fn=_move, use_buffers=True)


def resume_average(average: AveragedModel, weights: dict[str, Tensor], updates: int) -> None:
    """Goes on from `weights`, which are the average of so many updates."""
    average.module.load_state_dict(weights)
    average.n_averaged.fill_(updates)


def _move(average: Tensors, now: Tensors, updates: Tensor | int) -> None:
    if average[0].is_floating_point():  # tables of indices are constants
        count = int(updates)
        get_ema_multi_avg_fn(min(EMA_DECAY, (2 + count) / (11 + count)))(average, now, updates)


def save(path: Path, state: dict[str, Any]) -> None:
    """Appears whole or not at all, so that a killed run never leaves half a checkpoint.

    Raises OutputPlaceError and OutputUnwritableError.
    """
    data = io.BytesIO()
    torch.save(state, data)
    make_folder(path.parent)
    write_atomically(path, data.getvalue(), force=True)


def load(path: Path, config: str | None = None) -> dict[str, Any]:
    """A checkpoint's content. Raises WeightsError if it is damaged, or of another configuration than `config`."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        found = state["config"]
    except (OSError, EOFError, ValueError, TypeError, RuntimeError, LookupError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"{path} cannot be read as a checkpoint: it is damaged, or not a training's last.pt"
        ) from error
    if config is not None and found != config:
        raise WeightsError(f"{path} is of the configuration '{found}', not '{config}': give another --out")
    return state


@contextmanager
def fitting(path: Path, config: str) -> Iterator[None]:
    """While it lasts, a state is taken over. Raises WeightsError if it does not fit its configuration as it is today.

    A name that is gone is the file's fault here, and elsewhere that of the caller who gives it.
    """
    try:
        yield
    except (UnknownConfigError, BlockChoiceError, RuntimeError, LookupError, TypeError) as error:
        fault = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise WeightsError(
            f"{path} does not fit the configuration '{config}' of this release; take the one that trained it, "
            f"or train anew: {fault}"
        ) from error


INDEX = "index.json"
# What an optimiser remembers is a running mean already blurred by noise; weights are not, and their average ships.
EXACT = ("model", "average")


def slim(state: Any, exact: bool = False) -> Any:
    """The state with every float32 tensor in bfloat16 but those under the keys EXACT; a new structure."""
    if isinstance(state, dict):
        return {k: slim(v, exact or k in EXACT) for k, v in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(slim(v, exact) for v in state)
    if isinstance(state, Tensor) and state.dtype == torch.float32 and not exact and state.dim() > 0:
        return state.bfloat16()
    return state


def widen(state: Any) -> Any:
    """The state with every bfloat16 tensor in float32 again."""
    if isinstance(state, dict):
        return {k: widen(v) for k, v in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(map(widen, state))
    return state.float() if isinstance(state, Tensor) and state.dtype == torch.bfloat16 else state


def write_parts(state: dict[str, Any], folder: Path, part_bytes: int) -> list[Path]:
    """The state as files of at most that size and an index, which appears last; older parts go then.

    Raises OutputPlaceError and OutputUnwritableError.
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
    """What `write_parts` wrote. Raises WeightsError if a part is missing or damaged, or no configuration is named."""
    try:
        index = json.loads((folder / INDEX).read_text())
        data = b"".join((folder / name).read_bytes() for name in index["parts"])
        if hashlib.sha256(data).hexdigest() != index["sha256"]:
            raise WeightsError(f"the parts in {folder} are damaged: their hash is not that of the index")
        state: dict[str, Any] = torch.load(io.BytesIO(data), weights_only=True)
        if "config" not in state:
            raise WeightsError(f"the parts in {folder} name no configuration: they are not those of a training")
    except (OSError, ValueError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{folder} holds no whole checkpoint, neither last.pt nor all parts of one") from error
    return state
