"""The entropy model: hyperprior and slices, with their rate in training."""

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
class TrainOutput:
    """The output of a training pass: y_hat for g_s, and the bits of y and z per picture, (B,) each."""

    y_hat: Tensor
    y_bits: Tensor
    z_bits: Tensor


class EntropyModel(nn.Module):
    """y of g_a (B, M, h, w) -> y_hat for g_s. Gains are applied and undone inside.

    `z_centre` holds the medians of z, (anchors, channels). z minus its median is rounded, so that a constant channel
    costs nothing, whatever its value.
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
        # The source of noise in training. Processes that share a batch draw the noise of the whole batch.
        self.uniform_like: Callable[[Tensor], Tensor] = torch.rand_like
        self.register_buffer("z_centre", torch.zeros(row.anchors, row.side))

    def quality(self, levels: Tensor) -> Quality:
        """The positions of levels (B,) of 0..10000 between the anchors of this model."""
        return Quality.of(levels, self.row.anchors)

    @torch.no_grad()
    def centre(self) -> None:
        """Set `z_centre` to the medians of the prior."""
        self.z_centre.copy_(self.prior.quantiles(0.5))

    def z_offset(self, quality: Quality) -> Tensor:
        """The median of z at the nearest anchor of each picture, (B, channels, 1, 1)."""
        return self.z_centre[quality.nearest][:, :, None, None]

    def hyper_analysis(self, y: Tensor, quality: Quality) -> Tensor:
        """h_a: y (B, M, h, w) without gain -> z (B, Z, ceil(h/4), ceil(w/4)), not rounded."""
        return self.h_a(y * INPUT_SCALE, quality)  # type: ignore[no-any-return]

    def reconstruct(self, z_hat: Tensor, quality: Quality, size: tuple[int, int], quantise: Quantise) -> Tensor:
        """z_hat -> y_hat for g_s. `quantise` chooses or reads the symbols of each half."""
        gain, inverse = self.gains(quality)
        hyper = self.h_s(z_hat, quality, *size)
        return self.walk(hyper, quality, gain, quantise) * inverse  # type: ignore[no-any-return]

    def forward(self, y: Tensor, levels: Tensor) -> TrainOutput:
        """The training pass: noise for the rate, rounding with straight-through gradients for y_hat."""
        quality = self.quality(levels)
        z = self.hyper_analysis(y, quality).float()
        z_bits = bits(self.prior(noisy(z, self.uniform_like), quality.nearest))
        offset = self.z_offset(quality)
        gained = (y * self.gains(quality)[0]).flatten(2).transpose(1, 2)
        y_bits: list[Tensor] = []

        def quantise(mu: Tensor, sigma: Tensor, first: int, at: Tensor) -> Tensor:
            residual = gained[:, at, first : first + mu.shape[2]] - mu
            y_bits.append(bits(gaussian_likelihood(noisy(residual, self.uniform_like), sigma)))
            return round_through(residual) + mu

        size = (y.shape[2], y.shape[3])
        y_hat = self.reconstruct(round_through(z - offset) + offset, quality, size, quantise)
        return TrainOutput(y_hat, torch.stack(y_bits).sum(0), z_bits)
