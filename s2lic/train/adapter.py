"""Adapters of a frozen codec: all else stays as a weights file has it, to the bit."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from s2lic.errors import UsageError, WeightsError
from s2lic.model import S2LIC
from s2lic.train.warm import read_tensors
from s2lic.weights.facts import TABLE_PREFIX
from s2lic.weights.store import PRIOR_PREFIX

STAGE = "adapter"
PART = ".adapter."  # of the names of their weights


def adopt(model: S2LIC, path: Path | None) -> dict[str, Tensor]:
    """Gives the model every weight of the file; the file's tables come back, to be exported again as they are.

    Raises UsageError without a file, WeightsError unless it holds all of the model but adapters.
    """
    if path is None:
        raise UsageError("adapters need a codec to adapt: give its weights file with --init")
    found = read_tensors(path)
    tables = {name: found.pop(name) for name in list(found) if name.startswith(TABLE_PREFIX)}
    own = model.state_dict()
    odd = [name for name, value in found.items() if name not in own or own[name].shape != value.shape]
    odd += [n for n in own if n not in found and PART not in n and not n.startswith(PRIOR_PREFIX)]
    if odd:
        raise WeightsError(f"{path} is not of '{model.row.name}' without its adapters: it differs in {odd[0]}")
    model.load_state_dict(found, strict=False)
    return tables
