"""Weights files of models that no picture has trained."""

from __future__ import annotations

import torch

from s2lic.entropy.exact.ranges import Ranges, observed
from s2lic.entropy.model import EntropyModel
from s2lic.model import S2LIC
from s2lic.weights.store import export, make

LEVELS = (0, 3300, 6700, 10_000)


def ranges_on_noise(entropy: EntropyModel, spread: float = 3.0) -> Ranges:
    """What the layers give for normal noise as y."""
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode(), observed(entropy) as ranges:
        for level in LEVELS:
            y = spread * torch.randn(1, entropy.row.latent, 20, 24, generator=generator)
            entropy(y, torch.tensor([level]))
    return ranges


def exported(model: S2LIC) -> bytes:
    """The weights file of an untrained model."""
    model.eval()
    model.entropy.centre()
    return export(model, make(model.entropy, ranges_on_noise(model.entropy)))
