"""The head start: the linear path begins as the principal components of training patches."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.entropy.quality import LAMBDA_MAX, LAMBDA_MIN, QUALITY_MAX
from s2lic.entropy.slices import Slice
from s2lic.model import S2LIC
from s2lic.train.data import Source
from s2lic.transform.blocks.routing import Routing
from s2lic.transform.config import STRIDE
from s2lic.transform.transforms import OUTPUT_SCALE, principal_components

PATCHES_FROM, PATCH_CROP = 256, 256
# What the crops lack has a logarithm too; times any gain of the start this lies below the least row, 0.11.
SIGMA_START_MIN = 0.02
STARTED_FROM = 4


def quantiser_step() -> float:
    """The step in pixel units of 0..1 at which dR/dD of a uniform quantiser equals lambda, at the middle quality.

    With step s a sample takes h - log2 s bits and errs by s^2 / 12, so that -dR/dD is 6 / (s^2 ln 2); lambda weighs the
    bits of a pixel, which has 3 samples, against their mean error.
    """
    lam = math.sqrt(LAMBDA_MIN * LAMBDA_MAX)
    return math.sqrt(3 * 6 / (lam * math.log(2))) / 255


@torch.no_grad()
def head_start(model: S2LIC, photos: Source, seed: int = 0) -> None:
    """Sets the linear path of g_a and g_s, and the starting scale of every latent to match it."""
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
    """Scales h_a so that each channel of z starts with a standard deviation of 1: less, and rounding hides it."""
    last, levels = model.entropy.h_a.last, torch.full((len(x),), QUALITY_MAX / 2)
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    z = model.entropy.hyper_analysis(model.g_a(x, model.blank(levels)), model.entropy.quality(levels))
    last.weight.div_(z.std((0, 2, 3))[:, None, None, None])


def _start_centroids(model: S2LIC, x: Tensor) -> None:
    """Gives each routing its centroids from what reaches it in one pass."""
    hooks = [m.register_forward_pre_hook(_init_centroids) for m in model.modules() if isinstance(m, Routing)]
    if hooks:
        context = model.blank(torch.full((len(x),), QUALITY_MAX / 2))
        model.g_s(model.g_a(x, context), context)
    for hook in hooks:
        hook.remove()


def _init_centroids(routing: nn.Module, args: tuple[Tensor, ...]) -> None:
    assert isinstance(routing, Routing)
    routing.init_centroids(args[0])
