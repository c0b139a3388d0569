"""Checkpoints small enough to travel: state in half the bits, cut into files of a given size."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from s2lic.errors import WeightsError
from s2lic.files import make_folder, write_atomically

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
