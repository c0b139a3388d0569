"""A warm start from a weights file: what fits is taken over, and the prior of z is fitted anew."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from s2lic.entropy.likelihood import bits, noisy
from s2lic.entropy.quality import QUALITY_MAX
from s2lic.errors import WeightsError
from s2lic.model import S2LIC
from s2lic.train.data import Source

# z of 192 crops is computed once, and each batch of it serves 25 steps: nothing but the small prior moves.
FIT_STEPS, FIT_BATCHES, FIT_BATCH, FIT_CROP = 300, 12, 16, 256
FIT_RATE = 3e-3


def warm_start(model: S2LIC, path: Path, photos: Source, seed: int) -> int:
    """Loads every tensor of a weights file that has its place in the model; how many those were.

    The file holds tables in place of the prior of z, so that is fitted to z of some batches. Raises WeightsError.
    """
    found = read_tensors(path)
    own = model.state_dict()
    fitting = {k: v.float() for k, v in found.items() if k in own and own[k].shape == v.shape}
    if not fitting:
        raise WeightsError(f"{path} holds nothing that fits the configuration '{model.row.name}'")
    model.load_state_dict(fitting, strict=False)
    fit_prior(model, photos, seed)
    return len(fitting)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a weights file, by name. Raises WeightsError."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error


def fit_prior(model: S2LIC, photos: Source, seed: int) -> None:
    """Maximum likelihood of z on a few batches at all qualities, with nothing else moving."""
    prior = model.entropy.prior
    samples = [_side(model, photos, (seed, 1, i)) for i in range(FIT_BATCHES)]
    fit = torch.optim.AdamW(prior.parameters(), lr=FIT_RATE, weight_decay=0.0)
    for step in range(FIT_STEPS):
        z, nearest = samples[step % FIT_BATCHES]
        fit.zero_grad()
        bits(prior(noisy(z), nearest)).mean().backward()  # type: ignore[no-untyped-call]
        fit.step()
    model.entropy.centre()


@torch.no_grad()
def _side(model: S2LIC, photos: Source, seed: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """z of one batch, its pictures spread over all qualities, and their nearest anchors."""
    x = photos.batch(FIT_BATCH, min(FIT_CROP, photos.least), seed).cpu()
    levels = torch.linspace(0, QUALITY_MAX, len(x))
    quality, y = model.entropy.quality(levels), model.g_a(x - 0.5, model.blank(levels))
    return model.entropy.hyper_analysis(y, quality), quality.nearest
