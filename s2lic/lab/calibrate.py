"""Finds the attention heads that gain from the calibration of their sinks (Yu et al. 2024, ACT)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from s2lic.coding.encoder import Encoder
from s2lic.coding.networks import Networks
from s2lic.coding.options import EncodeOptions
from s2lic.coding.targets import PSNR
from s2lic.coding.trial_encoder import TrialEncoder
from s2lic.entropy.quality import quality_lambda
from s2lic.errors import BlockChoiceError, UsageError
from s2lic.images.load import open_image
from s2lic.images.names import is_picture_name
from s2lic.model import S2LIC, build, variant
from s2lic.runtime import ProgressCallback, no_progress, with_progress
from s2lic.transform.blocks.act import Act
from s2lic.transform.blocks.registry import wrappable
from s2lic.transform.variants import takes_wrapper
from s2lic.weights.store import Weights, export, load, load_bytes, made_of

Head = tuple[str, int]


@dataclass(frozen=True)
class Calibration:
    """The selected heads, and the cost without and with them."""

    kept: list[Head]
    before: float
    after: float


def calibrated(
    source: Path, folder: Path, level: int, done: ProgressCallback = no_progress
) -> tuple[bytes, Calibration]:
    """The weights file of a model in which the heads that lower the cost are calibrated, and the result of the search.

    Raises UsageError for a folder without pictures, BlockChoiceError for a model without softmax attention,
    InputMissingError, WeightsError.
    """
    names = [path for path in sorted(folder.rglob("*")) if is_picture_name(path) and path.is_file()]
    if not names:
        raise UsageError(f"there are no pictures in the folder {folder}; give --data another")
    pictures = [open_image(path).convert("RGB") for path in names]
    networks = Networks(load_bytes(wrapped(load(source)), source), torch.device("cpu"))
    model = networks.weights.model
    found = calibrate(model, partial(rd_cost, networks, pictures, level), done)
    return export(model, made_of(networks.weights)), found


def wrapped(weights: Weights) -> bytes:
    """The weights file of the same model with the wrapper `act` around every attention, active for no head.

    Raises BlockChoiceError for a model without softmax attention.
    """
    row = weights.model.row
    if not takes_wrapper(row.transform):
        raise BlockChoiceError(
            f"there is nothing to calibrate in '{row.name}', whose blocks lack softmax attention; give weights of a "
            f"model of {wrappable()}"
        )
    model = build(variant(row, wrap="act"))
    model.load_state_dict({k: v.float() for k, v in weights.model.state_dict().items()}, strict=False)
    for rule in _rules(model).values():
        rule.chosen.zero_()
    return export(model, made_of(weights))


def heads_of(model: S2LIC) -> list[Head]:
    """All heads that can be calibrated, by module name and index."""
    return [(name, head) for name, rule in _rules(model).items() for head in range(len(rule.chosen))]


def calibrate(model: S2LIC, cost: Callable[[], float], done: ProgressCallback = no_progress) -> Calibration:
    """Adds each head in turn to those kept so far, and keeps it if the cost falls. Changes the model in place."""
    rules, heads, kept = _rules(model), heads_of(model), list[Head]()
    before = best = cost()
    for name, head in with_progress(heads, len(heads), done):
        rules[name].chosen[head] = 1
        found = cost()
        if found < best:
            best, kept = found, [*kept, (name, head)]
        else:
            rules[name].chosen[head] = 0
    return Calibration(kept, before, best)


def rd_cost(networks: Networks, pictures: Iterable[Image.Image], level: int) -> float:
    """The mean of R + lambda MSE, from encoded files and decoded pictures, at a quality level 0 to 10000."""
    found, lam, encoder = [], float(quality_lambda(torch.tensor(level))), Encoder(networks)
    for picture in pictures:
        prepared = encoder.prepare(picture, EncodeOptions(strip=True, effort=0))
        trial = TrialEncoder(encoder, prepared, PSNR).measure(level)
        bpp = 8 * len(trial.data) / (picture.width * picture.height)
        found.append(bpp + lam * 255**2 / 10 ** (trial.value / 10))
    return sum(found) / len(found)


def _rules(model: S2LIC) -> dict[str, Act]:
    return {name: module for name, module in model.named_modules() if isinstance(module, Act)}
