"""Stages of training: which parameters learn."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from s2lic.errors import UnknownConfigError


@dataclass(frozen=True)
class Stage:
    """Parameters whose names fit one of the patterns `learning` move.

    g_s alone sees latents rounded as a decoder does, and costs a third of a step.
    """

    name: str
    learning: tuple[str, ...]


STAGES = {
    stage.name: stage
    for stage in (
        Stage("all", ("*",)),
        Stage("gains", ("entropy.gains.*",)),
        Stage("g_s", ("g_s.*",)),
        Stage("adapter", ("*.adapter.*",)),
    )
}


def stage(name: str) -> Stage:
    """The stage of that name. Raises UnknownConfigError."""
    if name not in STAGES:
        raise UnknownConfigError(f"no training stage '{name}'; there are {', '.join(STAGES)}")
    return STAGES[name]


def freeze(model: nn.Module, chosen: Stage) -> None:
    """Takes the gradients of every parameter that this stage leaves alone."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(fnmatchcase(name, pattern) for pattern in chosen.learning))
