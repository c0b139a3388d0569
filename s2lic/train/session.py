"""From a plan to a run: pictures in memory, and the ranks that share them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from s2lic.files import make_folder
from s2lic.model import config
from s2lic.train.data import Photos
from s2lic.train.loop import Run
from s2lic.train.plan import Plan
from s2lic.train.ranks import joined
from s2lic.train.resident import Resident


@contextmanager
def begun(plan: Plan, folders: list[Path], device: str, threads: int | None) -> Iterator[Run]:
    """A run on the pictures in folders, from its start or its checkpoint, among the ranks as long as this lasts.

    Raises what `joined`, `Photos.load` and `Run` raise, and OutputPlaceError.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    with joined(device, plan.batch) as ranks:
        photos = Photos.load(folders, plan.crop, config(plan.config).transform.cond)
        make_folder(plan.out)  # not before the rest is known to be there
        yield Run(plan, Resident.of(photos, ranks.device) if device == "cuda" else photos, ranks)
