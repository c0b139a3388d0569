"""From a checkpoint to a weights file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch

from s2lic.entropy.exact.ranges import Ranges, observed
from s2lic.entropy.quality import QUALITY_MAX
from s2lic.errors import UsageError
from s2lic.files import write_atomically
from s2lic.model import S2LIC, build
from s2lic.train import checkpoint
from s2lic.train.checkpoint import read_parts, widen
from s2lic.train.data import Photos, Source
from s2lic.weights.store import export, make

# Crops from which ranges are measured. 64 of them come within a few percent of the ranges of 600.
CROP, CROPS, SEED = 256, 64, 7


@torch.inference_mode()
def observe(model: S2LIC, photos: Source, crop: int = CROP, count: int = CROPS) -> Ranges:
    """Measures the ranges of the entropy model's layers on random crops, with qualities spread over the range."""
    model.eval()
    with observed(model.entropy) as ranges:
        for turn in range(count):
            x, condition = (cut(1, crop, (SEED, turn)) for cut in (photos.batch, photos.conditions))
            assert x is not None
            levels = torch.tensor([int((turn + 0.5) / count * QUALITY_MAX)])
            model.entropy(model.g_a(x - 0.5, model.context(levels, condition)), levels)
    return ranges


def _state(source: Path) -> dict[str, Any]:
    """Reads a checkpoint from a file, a run's folder, or a folder of parts."""
    if source.is_dir() and not (source / "last.pt").exists():
        return cast(dict[str, Any], widen(read_parts(source)))
    return checkpoint.load(source / "last.pt" if source.is_dir() else source)


def export_checkpoint(source: Path, target: Path, folders: list[Path], crop: int = CROP, force: bool = False) -> None:
    """Writes the averaged weights of a checkpoint as a weights file.

    Crops of pictures determine the grids of the exact networks. An adapted codec keeps its grids.

    Args:
        source: A checkpoint, a run's folder, or a folder of parts.
        target: The weights file.
        folders: Folders of pictures.
        crop: The side of a crop in pixels.
        force: Replaces an existing file.

    Raises:
        UsageError: There are no folders.
        InputMissingError: A folder or file is missing.
        WeightsError: The checkpoint is damaged, or of an older configuration.
        OutputExistsError: The weights file exists, without `force`.
        OutputUnwritableError: The weights file cannot be written.
    """
    state = _state(source)
    with checkpoint.fitting(source, state["config"]):
        model = build(state["config"])
        model.load_state_dict(state["average"])
    write_atomically(target, export(model, state.get("tables") or _made(model, folders, crop)), force)


def _made(model: S2LIC, folders: list[Path], crop: int) -> dict[str, torch.Tensor]:
    if not folders:
        raise UsageError("the exact networks need pictures to determine their grids; give a folder with --data")
    photos = Photos.load(folders, crop, model.row.transform.cond)
    model.entropy.centre()
    return make(model.entropy, observe(model, photos, crop))
