"""The encoder's search for a y that costs less in bits and distortion together. Decoders know nothing of it.

g_a answers for all pictures at once; a picture's own y can be better (Campos et al. 2019; Yang et al. 2020, section 3).
Newton steps find it here. Each round codes y as it stands, takes the gradient of the distortion through g_s, and moves
y by the gradient over the curvature, which is nearly one number per channel. RDOQ then weighs bits against distortion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from s2lic.container.tiles import Box
from s2lic.entropy.latent_coder import FINER_AN_OCTAVE, LatentCoder, Rehearsal
from s2lic.entropy.quality import QUALITY_MAX, quality_lambda
from s2lic.entropy.rounding import RDOQ, QuantTarget
from s2lic.transform.config import STRIDE

# Tried on validation crops. Larger first steps overshoot: errors of neighbours add up, and the curvature of one alone
# does not show it; least so where steps of y are fine. For the same reason a zero costs more than its own error.
STEP_COARSE, STEP_FINE, FALL = 0.25, 0.4, 0.6
STRICTNESS = 1.5
# Steps are divided by the curvature. One random probe may find none, or a negative one, in a channel that matters
# little to g_s.
CURVATURE_MIN = 1e-3
# In steps of y: well within one, the reach that the curvature is needed for.
PROBE = 0.25


@dataclass(frozen=True)
class TileView:
    """What an encoder sees of one tile: the tile and its surroundings.

    Attributes:
        x: The pixels, (1, 3, H, W).
        y: What g_a gives for them, (1, M, h, w), after padding.
        inside: The rows and columns of y that belong to the tile.
    """

    x: Tensor
    y: Tensor
    inside: tuple[slice, slice]

    def tile(self) -> Tensor:
        """y of the tile alone."""
        return self.y[:, :, self.inside[0], self.inside[1]]


@dataclass(frozen=True)
class RDProblem:
    """A view, how it is decoded, and what its distortion is worth in bits.

    Attributes:
        view: The tile and its surroundings.
        synthesise: y_hat (1, M, h, w) -> x_hat (1, 3, H', W'), differentiable, H' >= H and W' >= W.
        weight: Bits per squared error of one sample of x, (1, 1, H, W) or (1, 1, 1, 1).
    """

    view: TileView
    synthesise: Callable[[Tensor], Tensor]
    weight: Tensor

    def decode(self, y_hat: Tensor) -> Tensor:
        """x_hat of the view for y_hat of the tile; g_a's own y stands in for the tiles around."""
        view, y = self.view, self.view.y.clone()
        y[:, :, view.inside[0], view.inside[1]] = y_hat
        return self.synthesise(y)[:, :, : view.x.shape[2], : view.x.shape[3]]

    def distortion(self, x_hat: Tensor) -> Tensor:
        """The weighted squared error, in bits."""
        return (self.weight * (x_hat - self.view.x).square()).sum()

    def gradient(self, x_hat: Tensor) -> Tensor:
        """The derivative of `distortion` by x_hat."""
        return 2 * self.weight * (x_hat - self.view.x)


class LatentSearch:
    """The search of one tile at one quality.

    Args:
        problem: The tile and its distortion.
        coder: The coder, whose estimates are made in float32.
        levels: The quality level, (1,).
        finer: How much finer the steps of each place are, (1, h, w) integers as in coding, or None.
    """

    def __init__(self, problem: RDProblem, coder: LatentCoder, levels: Tensor, finer: Tensor | None) -> None:
        self.problem, self.coder, self.levels, self.finer = problem, coder, levels, finer
        self.gain, self.inverse = coder.gains(levels)
        self.step = STEP_COARSE + (STEP_FINE - STEP_COARSE) * (levels.item() / QUALITY_MAX) ** 2

    def run(self, rounds: int) -> QuantTarget:
        """The best of g_a's own y and the results of all rounds; with no round, g_a's own."""
        y = self.problem.view.tile()
        best, wanted = QuantTarget(y), y * self.gain
        if not rounds:
            return best
        tried, x_hat = self._try(best)
        curvature = self._curvature(tried.y_hat, x_hat)
        rounding = RDOQ(STRICTNESS / 2 * curvature.flatten())
        metric, lowest = curvature * self._place_weight(), self._cost(tried, x_hat)
        for turn in range(rounds):
            slope = pull_back(self.problem.gradient(x_hat.detach()), x_hat, tried.y_hat)
            wanted = wanted - self.step * FALL**turn * (wanted - tried.sent + slope * self.inverse / metric)
            if not wanted.isfinite().all():  # the slope of g_s overflowed: no later round can recover
                break
            target = QuantTarget(wanted / self.gain, rounding)
            tried, x_hat = self._try(target, ahead=turn + 1 < rounds)
            cost = self._cost(tried, x_hat)
            if cost < lowest:
                best, lowest = target, cost
        return best

    def _try(self, target: QuantTarget, ahead: bool = True) -> tuple[Rehearsal, Tensor]:
        """The estimate of a target, and its x_hat, differentiable by y_hat if there is a round ahead."""
        tried = self.coder.rehearse(self.problem.view.tile(), self.levels, target, self.finer)
        with torch.set_grad_enabled(ahead):
            return tried, self.problem.decode(tried.y_hat.requires_grad_(ahead))

    def _cost(self, tried: Rehearsal, x_hat: Tensor) -> float:
        return float(tried.bits.sum()) + self.problem.distortion(x_hat.detach()).item()

    def _curvature(self, y_hat: Tensor, x_hat: Tensor) -> Tensor:
        """The second derivative of the distortion by gained y, per channel at neutral places, (1, M, 1, 1).

        An estimate from one random probe (Hutchinson 1990), averaged over places.
        """
        generator = torch.Generator().manual_seed(0)
        signs = torch.randint(0, 2, y_hat.shape, generator=generator).to(y_hat) * 2 - 1
        with torch.no_grad():
            moved = self.problem.decode(y_hat + PROBE * signs * self.inverse)
            change = 2 * self.problem.weight * (moved - x_hat) / PROBE
        seen: Tensor = pull_back(change, x_hat, y_hat) * self.inverse * signs / self._place_weight()
        return seen.mean((2, 3), keepdim=True).clamp(min=CURVATURE_MIN)

    def _place_weight(self) -> Tensor:
        """(1, 1, h, w) or 1: where steps are f times finer, errors weigh f^2 as much."""
        one = self.gain.new_ones(1, 1, 1, 1)
        return one if self.finer is None else torch.exp2(self.finer.to(one) / (FINER_AN_OCTAVE / 2))[:, None]


def pull_back(change: Tensor, x_hat: Tensor, y_hat: Tensor) -> Tensor:
    """The transposed Jacobian of x_hat by y_hat times a change of x_hat. The graph is kept."""
    back: Tensor = torch.autograd.grad(x_hat, y_hat, change, retain_graph=True)[0]
    return back


def distortion_weight(levels: Tensor, step_scale: Tensor | None, x: Tensor) -> Tensor:
    """Bits per squared error of one sample of x: lambda 255^2 / 3, and f^2 as much where steps are f times finer.

    Args:
        levels: The quality level, (1,).
        step_scale: The factor f of each place of y under x, (1, h, w), or None.
        x: The pixels, (1, 3, H, W), for size, type and device.
    """
    plain = (quality_lambda(levels) * 255**2 / 3).to(x).reshape(1, 1, 1, 1)
    if step_scale is None:
        return plain
    scale = step_scale.to(x).repeat_interleave(STRIDE, 1).repeat_interleave(STRIDE, 2)
    return plain * scale.square()[:, None, : x.shape[2], : x.shape[3]]


# The search of one tile cannot correct what its neighbour will do, so that pixels along the border would lose more
# than others. Tried on training photographs: with much more both sides correct the same error where steps are fine.
REACH, EXTRA = 32, 0.2


def border_weight(tile: Box, seen: Box, whole: Box) -> Tensor:
    """(1, 1, H, W) for the pixels of `seen`: 1, and more within `REACH` of the borders between `tile` and others."""
    rows = _near(tile.top, tile.bottom, whole.bottom, torch.arange(seen.top, seen.bottom))
    columns = _near(tile.left, tile.right, whole.right, torch.arange(seen.left, seen.right))
    return 1 + EXTRA * (rows[:, None] | columns)[None, None]


def _near(start: int, stop: int, end: int, at: Tensor) -> Tensor:
    """Which places are near the start or stop of a tile, unless the picture itself begins or ends there."""
    near = torch.zeros_like(at, dtype=torch.bool)
    for border in {start, stop} - {0, end}:
        near |= (at >= border - REACH) & (at < border + REACH)
    return near
