"""The search for the places of a gate, from what is asked to what was found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from s2lic.errors import UsageError
from s2lic.eval.place import PLACES, Search, Trial, check_gate, check_places, search, shares, slots_of
from s2lic.model import S2LIC
from s2lic.progress import Done, unheard
from s2lic.train.data import Photos
from s2lic.train.init import fit_prior
from s2lic.transform.config import STRIDE
from s2lic.weights.manifest import by_config
from s2lic.weights.store import load


@dataclass(frozen=True)
class Request:
    """Up to `most` gates in groups of a model, shipped weights by name or a weights file; judged at a level 0..10000.

    Placements are trained and judged on pictures under the folder `data`, `batch` crops a step. Raises UsageError for
    crops of a side that is no multiple of 16 and for places that are none, UnknownBlockError, BlockChoiceError.
    """

    data: Path
    gate: str
    most: int
    places: tuple[str, ...] = PLACES
    steps: int = 20
    batch: int = 4
    crop: int = 128
    level: int = 5000
    model: str = "nano"

    def __post_init__(self) -> None:
        if self.crop % STRIDE:
            raise UsageError(f"--crop takes multiples of {STRIDE}, not {self.crop}")
        check_places(self.places)
        check_gate(self.gate)


def placed(request: Request, done: Done = unheard) -> tuple[Search, dict[int, float]]:
    """What was tried, and which part of a block's time one gate takes by stride; `done` hears of each placement.

    Raises UsageError, UnknownConfigError, InputMissingError, WeightsError.
    """
    photos = Photos.load([request.data], request.crop)
    model = _trained(request.model, photos)
    batches = [photos.batch(request.batch, request.crop, (0, 2, step)) for step in range(request.steps + 1)]
    trial = Trial(model, request.gate, batches[1:], batches[0], request.level)
    return search(slots_of(model, request.places), trial, request.most, done), shares(model, request.gate)


def _trained(name: str, photos: Photos) -> S2LIC:
    """The model of some weights, ready to be trained on; the prior of z, which they lack, is fitted to the pictures."""
    path = Path(name) if name.endswith(".safetensors") else by_config(name).path
    model = load(path).model.float().train().requires_grad_()
    fit_prior(model, photos, 0)
    return model
