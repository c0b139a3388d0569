"""The entropy model: hyperprior and slices together, with their training-time rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2lic.entropy.config import EntropyRow
from s2lic.entropy.factorized_prior import FactorizedPrior
from s2lic.entropy.hyperprior import HyperAnalysis, HyperSynthesis
from s2lic.entropy.likelihood import bits, gaussian_likelihood, noisy, round_through
from s2lic.entropy.quality import Gains, Quality
from s2lic.entropy.slices import INPUT_SCALE, Quantise, SliceWalk


@dataclass(frozen=True)
class Rated:
    """A latent after quantisation, ready for g_s, and the bits of y and z a picture, (B,) each."""

    y_hat: Tensor
    y_bits: Tensor
    z_bits: Tensor


class EntropyModel(nn.Module):
    """y (B, M, h, w) as g_a gives it -> y_hat as g_s takes it; gains are applied and undone inside.

    `z_centre` holds the medians of z, (anchors, channels): z is rounded to whole steps from them, so that
    a channel that says nothing costs nothing wherever it rests.
    """

    z_centre: Tensor

    def __init__(self, row: EntropyRow) -> None:
        super().__init__()
        self.row = row
        self.gains = Gains(row.anchors, row.latent)
        self.h_a = HyperAnalysis(row)
        self.h_s = HyperSynthesis(row)
        self.prior = FactorizedPrior(row.anchors, row.side)
        self.walk = SliceWalk(row)
        # Where noise comes from while training; processes that share a batch draw the whole batch's.
        self.uniform_like: Callable[[Tensor], Tensor] = torch.rand_like
        self.register_buffer("z_centre", torch.zeros(row.anchors, row.side))

    def quality(self, levels: Tensor) -> Quality:
        """What levels (B,) of 0..10000 mean between the anchors of this model."""
        return Quality.of(levels, self.row.anchors)

    @torch.no_grad()
    def centre(self) -> None:
        """Moves `z_centre` to the medians of the prior."""
        self.z_centre.copy_(self.prior.quantiles(0.5))

    def resting(self, quality: Quality) -> Tensor:
        """The centre of z for each picture's anchor, (B, channels, 1, 1)."""
        return self.z_centre[quality.nearest][:, :, None, None]

    def hyper_analysis(self, y: Tensor, quality: Quality) -> Tensor:
        """h_a: y (B, M, h, w), not gained -> z (B, Z, ceil(h/4), ceil(w/4)), not rounded."""
        return self.h_a(y * INPUT_SCALE, quality)  # type: ignore[no-any-return]

    def reconstruct(self, z_hat: Tensor, quality: Quality, size: tuple[int, int], quantise: Quantise) -> Tensor:
        """From z_hat to y_hat for g_s; `quantise` supplies or takes the symbols of each half."""
        gain, inverse = self.gains(quality)
        hyper = self.h_s(z_hat, quality, *size)
        return self.walk(hyper, quality, gain, quantise) * inverse  # type: ignore[no-any-return]

    def forward(self, y: Tensor, levels: Tensor) -> Rated:
        """The training pass: noise for the rate, rounding with straight-through gradients for what follows."""
        quality = self.quality(levels)
        z = self.hyper_analysis(y, quality).float()
        z_bits = bits(self.prior(noisy(z, self.uniform_like), quality.nearest))
        resting = self.resting(quality)
        gained = (y * self.gains(quality)[0]).flatten(2).transpose(1, 2)
        spent: list[Tensor] = []

        def quantise(mu: Tensor, sigma: Tensor, first: int, at: Tensor) -> Tensor:
            residual = gained[:, at, first : first + mu.shape[2]] - mu
            spent.append(bits(gaussian_likelihood(noisy(residual, self.uniform_like), sigma)))
            return round_through(residual) + mu

        size = (y.shape[2], y.shape[3])
        y_hat = self.reconstruct(round_through(z - resting) + resting, quality, size, quantise)
        return Rated(y_hat, torch.stack(spent).sum(0), z_bits)
