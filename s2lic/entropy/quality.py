"""Parameters that depend on the quality. Each is a table over anchor qualities, interpolated between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

QUALITY_MAX = 10_000
LAMBDA_MIN, LAMBDA_MAX = 0.0015, 0.18


@dataclass(frozen=True)
class Quality:
    """A batch of qualities as positions between anchors.

    Attributes:
        low: The anchor below, (B,) int64.
        fraction: The weight of the anchor above, (B,) float64.
        nearest: The nearest anchor, (B,) int64.
    """

    low: Tensor
    fraction: Tensor
    nearest: Tensor

    @staticmethod
    def of(levels: Tensor, anchors: int) -> Quality:
        """The positions of quality levels (B,): integers 0..10000, or in training any numbers in that range."""
        position = levels.double() * (anchors - 1) / QUALITY_MAX
        low = position.floor().clamp(0, anchors - 2).long()
        nearest = (position + 0.5).floor().long()
        return Quality(low, position - low, nearest)

    def interpolate(self, table: Tensor) -> Tensor:
        """(anchors, ...) -> (B, ...), linear between the anchors below and above each quality."""
        fraction = self.fraction.to(table.dtype).view(-1, *[1] * (table.dim() - 1))
        return table[self.low] * (1 - fraction) + table[self.low + 1] * fraction


def quality_lambda(levels: Tensor) -> Tensor:
    """lambda of each quality level, log-spaced from 0.0015 to 0.18."""
    span = math.log(LAMBDA_MAX / LAMBDA_MIN)
    return LAMBDA_MIN * torch.exp(levels.double() / QUALITY_MAX * span)


def embedding(levels: Tensor, width: int) -> Tensor:
    """levels (B,) -> (B, width) float32: sines and cosines of log lambda, of half a turn to 16 turns over its range.

    They are computed in float64, so that encoder and decoder have the same values.
    """
    turns = torch.logspace(-1, 4, width // 2, base=2, dtype=torch.float64, device=levels.device)
    angle = 2 * math.pi * turns * levels.double()[:, None] / QUALITY_MAX  # log lambda is linear in the level
    return torch.cat([angle.sin(), angle.cos()], dim=1).float()


class Gains(nn.Module):
    """Per-channel gains of y and their inverses, exponentially interpolated (Cui et al. 2021, sections 3.2, 3.3)."""

    def __init__(self, anchors: int, channels: int) -> None:
        super().__init__()
        levels = torch.linspace(0, QUALITY_MAX, anchors)
        start = 0.5 * (quality_lambda(levels).log() - math.log(LAMBDA_MIN * LAMBDA_MAX) / 2)
        log_gain = start.float()[:, None].repeat(1, channels)
        self.log_gain = nn.Parameter(log_gain)
        self.log_inverse = nn.Parameter(-log_gain.clone())

    def forward(self, quality: Quality) -> tuple[Tensor, Tensor]:
        """The gain and the inverse gain, (B, M, 1, 1) each."""
        return self._at(self.log_gain, quality), self._at(self.log_inverse, quality)

    @staticmethod
    def _at(table: Tensor, quality: Quality) -> Tensor:
        return quality.interpolate(table).exp()[:, :, None, None]


class Modulation(nn.Module):
    """x * (1 + scale(q)) + shift(q) per channel (FiLM, Perez et al. 2018). It starts as the identity."""

    def __init__(self, anchors: int, channels: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(anchors, 2, channels))

    def forward(self, x: Tensor, quality: Quality) -> Tensor:  # (B, C, H, W)
        scale, shift = quality.interpolate(self.table)[..., None, None].unbind(1)
        return x * (1 + scale) + shift
