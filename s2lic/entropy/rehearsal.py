"""What coding a latent would give, without a coder: an encoder's search asks for it many times."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from s2lic.entropy.likelihood import gaussian_likelihood
from s2lic.entropy.model import EntropyModel
from s2lic.entropy.rounding import Aim


@dataclass(frozen=True)
class Rehearsal:
    """y_hat as g_s takes it, what stands for y before LRP in the gained domain, and the bits of y; (1, M, h, w)."""

    y_hat: Tensor
    sent: Tensor
    bits: float


@torch.no_grad()
def rehearse(model: EntropyModel, y: Tensor, levels: Tensor, aim: Aim, fineness: Tensor | None = None) -> Rehearsal:
    """One walk over y (1, M, h, w) with an aim, as `encode_and_decode` would code it, in the precision of `model`.

    fineness: (1, h, w) as there.
    """
    quality = model.quality(levels)
    flat = (aim.y * model.gains(quality)[0]).flatten(2).transpose(1, 2)
    finer = y.new_ones(1, flat.shape[1], 1) if fineness is None else fineness.to(y).flatten(1)[:, :, None]
    sent, bits = torch.empty_like(flat), 0.0

    def quantise(mu: Tensor, sigma: Tensor, first: int, at: Tensor) -> Tensor:
        nonlocal bits
        part, steps = slice(first, first + mu.shape[2]), sigma * finer[:, at]
        q = aim.rounding((flat[:, at, part] - mu) * finer[:, at], steps, first)
        bits -= float(gaussian_likelihood(q, steps).log2().sum())
        sent[:, at, part] = value = q / finer[:, at] + mu
        return value

    resting = model.resting(quality)
    z_hat = torch.round(model.hyper_analysis(y, quality) - resting) + resting
    y_hat = model.reconstruct(z_hat, quality, (y.shape[2], y.shape[3]), quantise)
    return Rehearsal(y_hat, sent.transpose(1, 2).reshape(y.shape), bits)
