"""Stages of training: which parameters learn."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from torch import Tensor, nn

from s2lic.errors import UnknownConfigError, UsageError, WeightsError
from s2lic.model import S2LIC
from s2lic.train.init import read_tensors
from s2lic.weights.manifest import MADE_PREFIXES
from s2lic.weights.store import PRIOR_PREFIX


@dataclass(frozen=True)
class Stage:
    """A stage trains the parameters whose names match a pattern of `learning`, and no others.

    `entropy` trains the entropy networks with LRP, without the gains. Its loss goes through the frozen g_s, so that LRP
    learns what g_s needs; a step costs about two thirds. `g_s` trains on rounded latents; a step costs a third.
    """

    name: str
    learning: tuple[str, ...]


STAGES = {
    stage.name: stage
    for stage in (
        Stage("all", ("*",)),
        Stage("entropy", ("entropy.h_a.*", "entropy.h_s.*", "entropy.prior.*", "entropy.walk.*")),
        Stage("gains", ("entropy.gains.*",)),
        Stage("g_s", ("g_s.*",)),
        Stage("adapter", ("*.adapter.*",)),
    )
}


def stage(name: str) -> Stage:
    """Returns the stage of that name. Raises UnknownConfigError."""
    if name not in STAGES:
        raise UnknownConfigError(f"no training stage '{name}'; there are {', '.join(STAGES)}")
    return STAGES[name]


def freeze(model: nn.Module, chosen: Stage) -> None:
    """Turns off the gradients of all parameters that the stage does not train."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(fnmatchcase(name, pattern) for pattern in chosen.learning))


ADAPTER_STAGE = "adapter"
PART = ".adapter."  # in the names of adapter weights


def load_frozen(model: S2LIC, path: Path | None) -> dict[str, Tensor]:
    """Loads a frozen codec below new adapters, and returns its tables and integers for the export.

    Raises:
        UsageError: There is no file.
        WeightsError: The file does not hold the whole model without its adapters.
    """
    if path is None:
        raise UsageError("adapters need a codec to adapt; give its weights file with --init")
    found = read_tensors(path)
    tables = {name: found.pop(name) for name in list(found) if name.startswith(MADE_PREFIXES)}
    own = model.state_dict()
    odd = [name for name, value in found.items() if name not in own or own[name].shape != value.shape]
    odd += [n for n in own if n not in found and PART not in n and not n.startswith(PRIOR_PREFIX)]
    if odd:
        raise WeightsError(f"{path} does not hold '{model.row.name}' without its adapters; it differs in {odd[0]}")
    model.load_state_dict(found, strict=False)
    return tables
