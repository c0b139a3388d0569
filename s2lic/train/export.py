"""From a checkpoint to a weights file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import numpy as np

from s2lic.entropy.config import EntropyRow
from s2lic.entropy.likelihood import SIGMA_MIN
from s2lic.entropy.tables import MIN_REACH
from s2lic.files import write_atomically
from s2lic.model import build
from s2lic.train import checkpoint
from s2lic.train.checkpoint import read_parts, widen
from s2lic.weights.store import export

# Neighbouring rows differ by this factor: half of it off costs under 0.03 % of a symbol's bits.
SCALE_RATIO = 1.045


def gaussian_scales(row: EntropyRow) -> tuple[float, ...]:
    """Standard deviations of the Gaussian rows, log-spaced up to the configuration's largest."""
    count = math.ceil(math.log(row.sigma_max / SIGMA_MIN) / math.log(SCALE_RATIO)) + 1
    return tuple(np.geomspace(SIGMA_MIN, row.sigma_max, count).tolist())


def _state(source: Path) -> dict[str, Any]:
    """A checkpoint, that of a run's folder, or what the parts in a folder make."""
    if source.is_dir() and not (source / "last.pt").exists():
        return cast(dict[str, Any], widen(read_parts(source)))
    return checkpoint.load(source / "last.pt" if source.is_dir() else source)


def export_checkpoint(source: Path, target: Path, force: bool = False) -> None:
    """Writes the averaged weights of a checkpoint, or of a folder that has one or its parts, as a weights file.

    Those of adapters have the tables of the codec that they adapt. Raises WeightsError for a checkpoint that is damaged
    or of an older configuration, OutputExistsError unless `force`, OutputUnwritableError.
    """
    state = _state(source)
    with checkpoint.fitting(source, state["config"]):
        model = build(state["config"])
        model.load_state_dict(state["average"])
    scales, tables = gaussian_scales(model.row.entropy), state.get("tables") or None
    write_atomically(target, export(model, scales, MIN_REACH, tables), force)
