"""Initialisation: from the principal components of training patches, or from a weights file."""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from s2lic.entropy.likelihood import bits, noisy
from s2lic.entropy.quality import LAMBDA_MAX, LAMBDA_MIN, QUALITY_MAX
from s2lic.entropy.slices import Slice
from s2lic.errors import WeightsError
from s2lic.model import S2LIC
from s2lic.train.data import Source
from s2lic.transform.blocks.routing import Routing
from s2lic.transform.config import STRIDE
from s2lic.transform.transforms import OUTPUT_SCALE, principal_components

PATCHES_FROM, PATCH_CROP = 256, 256
# Keeps the logarithm finite for components that the crops lack. With any initial gain it is below row 0, 0.11.
SIGMA_START_MIN = 0.02
STARTED_FROM = 4


def quantiser_step() -> float:
    """The step, in pixel units of 0 to 1, at which -dR/dD of a uniform quantiser equals lambda at the middle quality.

    With step s, a sample takes h - log2 s bits and has the error s^2 / 12, so -dR/dD is 6 / (s^2 ln 2). Lambda relates
    the bits of a pixel, which has 3 samples, to their mean error.
    """
    lam = math.sqrt(LAMBDA_MIN * LAMBDA_MAX)
    return math.sqrt(3 * 6 / (lam * math.log(2))) / 255


@torch.no_grad()
def head_start(model: S2LIC, photos: Source, seed: int = 0) -> None:
    """Initialises the linear path of g_a and g_s, and the scale of every latent to match."""
    x = photos.batch(PATCHES_FROM, min(PATCH_CROP, photos.least), (seed, 0)).cpu() - 0.5
    patches = F.pixel_unshuffle(x, STRIDE).permute(0, 2, 3, 1).flatten(0, 2)
    directions, deviation = principal_components(patches, model.row.transform.latent)
    step = quantiser_step()
    model.g_a.linear.conv.weight.copy_((directions / step)[:, :, None, None])
    model.g_s.linear.conv.weight.copy_((directions.T * step / OUTPUT_SCALE)[:, :, None, None])
    first = 0
    for part in model.entropy.walk.slices:
        assert isinstance(part, Slice)
        scale = (deviation[first : first + part.channels] / step).clamp(min=SIGMA_START_MIN)
        part.parameters_net.fc2.bias[part.channels :] = scale.log()
        first += part.channels
    _spread_side(model, x[:16])
    _start_centroids(model, x[:STARTED_FROM])


def _spread_side(model: S2LIC, x: Tensor) -> None:
    """Scales h_a so that each channel of z has a standard deviation of 1. Rounding would hide smaller ones."""
    last, levels = model.entropy.h_a.last, torch.full((len(x),), QUALITY_MAX / 2)
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    z = model.entropy.hyper_analysis(model.g_a(x, model.blank(levels)), model.entropy.quality(levels))
    last.weight.div_(z.std((0, 2, 3))[:, None, None, None])


def _start_centroids(model: S2LIC, x: Tensor) -> None:
    """Initialises the centroids of each routing from its inputs in one pass."""
    hooks = [m.register_forward_pre_hook(_init_centroids) for m in model.modules() if isinstance(m, Routing)]
    if hooks:
        context = model.blank(torch.full((len(x),), QUALITY_MAX / 2))
        model.g_s(model.g_a(x, context), context)
    for hook in hooks:
        hook.remove()


def _init_centroids(routing: nn.Module, args: tuple[Tensor, ...]) -> None:
    assert isinstance(routing, Routing)
    routing.init_centroids(args[0])


# z of 192 crops is computed once and each batch is used for 25 steps, because only the small prior changes.
FIT_STEPS, FIT_BATCHES, FIT_BATCH, FIT_CROP = 300, 12, 16, 256
FIT_RATE = 3e-3


def warm_start(model: S2LIC, path: Path, photos: Source, seed: int) -> int:
    """Loads every tensor of a weights file that fits the model, and returns how many those are.

    The file holds tables in place of the prior of z, so the prior is fitted to z of some batches.

    Raises:
        WeightsError: The file cannot be read, or none of its tensors fits.
    """
    found = read_tensors(path)
    own = model.state_dict()
    fitting = {k: v.float() for k, v in found.items() if k in own and own[k].shape == v.shape}
    if not fitting:
        raise WeightsError(f"{path} holds no tensor that fits the configuration '{model.row.name}'")
    model.load_state_dict(fitting, strict=False)
    fit_prior(model, photos, seed)
    return len(fitting)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Reads every tensor of a weights file, by name. Raises WeightsError."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error


def fit_prior(model: S2LIC, photos: Source, seed: int) -> None:
    """Fits the prior of z by maximum likelihood on a few batches of all qualities. Nothing else changes."""
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
    """z of one batch spread over all qualities, and the nearest anchor of each picture."""
    x = photos.batch(FIT_BATCH, min(FIT_CROP, photos.least), seed).cpu()
    levels = torch.linspace(0, QUALITY_MAX, len(x))
    quality, y = model.entropy.quality(levels), model.g_a(x - 0.5, model.blank(levels))
    return model.entropy.hyper_analysis(y, quality), quality.nearest
