"""Adapters for one picture: g_a is trained on it before encoding; the decoder does not change (Wu et al. 2024)."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from s2lic.codec import Codec
from s2lic.coding.conditioning import condition_of
from s2lic.coding.networks import pad, to_tensor
from s2lic.coding.search import distortion_weight
from s2lic.entropy.model import EntropyModel
from s2lic.errors import BlockChoiceError
from s2lic.images.extras import split_extras
from s2lic.model import S2LIC, build, variant
from s2lic.train.stages import PART
from s2lic.transform.blocks.registry import wrappable
from s2lic.transform.variants import takes_wrapper

WRAP = "p_adapter"
RATE = 3e-2
# Larger pictures are split into parts of this side, and the steps take turns.
SIDE = 512


def adapted(codec: Codec, image: Image.Image, level: int, steps: int, cond: ArrayLike | None = None) -> Codec:
    """Returns the codec with adapters in g_a trained on one picture, or the codec itself if they do not help.

    Its files have the codec's model id and decode with the codec's entropy model and g_s. The loss is the bits of y
    plus lambda times the squared error. The bits of z hardly change and are left out.

    Args:
        codec: The codec.
        image: The picture.
        level: The quality level, 0 to 10000.
        steps: How many steps to train.
        cond: Numbers that condition g_a, if the model takes any.

    Raises:
        BlockChoiceError: The model has no place for adapters.
    """
    picture, _ = split_extras(image, strip=True)
    own, condition = _with_adapters(codec.weights.model), condition_of(codec.networks, cond)
    entropy, parts = copy.deepcopy(codec.weights.model.entropy), _parts(pad(to_tensor(picture).to(codec.device)))
    levels = torch.tensor([level], device=codec.device)
    learning = [p.requires_grad_() for name, p in own.g_a.named_parameters() if PART in f".{name}"]
    before = _total(own, entropy, parts, levels, condition)
    optimiser = torch.optim.Adam(learning, RATE)
    for step in range(steps):
        loss = _loss(own, entropy, parts[step % len(parts)], levels, condition, step)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    if not _total(own, entropy, parts, levels, condition) < before:  # NaN is not a gain
        return codec
    tuned = copy.copy(codec)
    tuned.networks = replace(codec.networks, weights=replace(codec.weights, model=own.requires_grad_(False)))
    return tuned


def _with_adapters(model: S2LIC) -> S2LIC:
    """A copy with adapters at the attention layers of g_a. New adapters have no effect yet."""
    if not takes_wrapper(model.row.transform):
        raise BlockChoiceError(
            f"'{model.row.name}' cannot be adapted (--adapt): its blocks have no softmax attention; omit --adapt "
            f"or use a model of {wrappable()}"
        )
    if model.row.transform.wrap not in ("", WRAP):
        raise BlockChoiceError(f"the attention of this model is already wrapped by '{model.row.transform.wrap}'")
    row = variant(model.row, wrap=WRAP)
    own, device = copy.deepcopy(model), next(model.parameters()).device
    own.g_a = build(row).g_a.to(device).requires_grad_(False).eval()
    own.g_a.load_state_dict(model.g_a.state_dict(), strict=False)
    return own


def _parts(x: Tensor) -> list[Tensor]:
    return [part for row in x.split(SIDE, 2) for part in row.split(SIDE, 3)]


def _total(own: S2LIC, entropy: EntropyModel, parts: list[Tensor], levels: Tensor, condition: Tensor | None) -> float:
    with torch.no_grad():
        return sum(_loss(own, entropy, part, levels, condition, -1 - i).item() for i, part in enumerate(parts))


def _loss(own: S2LIC, entropy: EntropyModel, x: Tensor, levels: Tensor, condition: Tensor | None, seed: int) -> Tensor:
    """The loss in bits. The same seed gives the same noise."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        context = own.context(levels, condition)
        rated = entropy(own.g_a(x - 0.5, context), levels)
        error = (distortion_weight(levels, None, x) * (own.g_s(rated.y_hat, context) + 0.5 - x).square()).sum()
    return rated.y_bits.sum() + error  # type: ignore[no-any-return]
