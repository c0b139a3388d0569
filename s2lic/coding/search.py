"""The encoder's search for a y that costs less in bits and distortion together. Decoders know nothing of it.

g_a is trained on all pictures, and for one picture a better y exists (Campos et al. 2019; Yang et al. 2020, section 3).
Newton steps find it here. Each round codes the current y, takes the gradient of the distortion through g_s, and moves
y by the gradient over the curvature, which is nearly one number per channel. RDOQ then weighs bits against distortion.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from s2lic.coding.distortion import MIXES, Mix, distortion
from s2lic.container.tiles import Box
from s2lic.entropy.latent_coder import STEPS_PER_OCTAVE, LatentCoder, RateEstimate
from s2lic.entropy.quality import QUALITY_MAX, quality_lambda
from s2lic.entropy.rounding import RDOQ, QuantTarget
from s2lic.runtime import ProgressCallback, no_progress, with_progress
from s2lic.transform.config import STRIDE


@dataclass(frozen=True)
class Steps:
    """How far one round moves y. Tried on validation crops.

    Attributes:
        pull: The part of the way from the wanted y back to the y that was sent, at quality 0 and at 100.
        slope: The part of a Newton step against the slope of the distortion, at quality 0 and at 100. Larger ones
            overshoot: errors of neighbours add up, and the curvature of one alone does not show it; least so where
            steps of y are fine.
        limit: The most that the slope moves one number, in steps of y.
        fall: The factor on both from one round to the next.
        strictness: The worth of an error in RDOQ, relative to its own curvature: the errors of neighbours add up.
    """

    pull: tuple[float, float]
    slope: tuple[float, float]
    limit: float
    fall: float
    strictness: float


MSE_STEPS = Steps(pull=(0.25, 0.4), slope=(0.25, 0.4), limit=math.inf, fall=0.6, strictness=1.5)
# The visual distortion is far from quadratic: a few places have most of its slope.
VISUAL_STEPS = Steps(pull=(0.1, 0.1), slope=(0.04, 0.04), limit=0.15, fall=0.7, strictness=9.0)

# Steps are divided by the curvature. In a channel with little influence on g_s, one random probe may find zero or a
# negative value.
CURVATURE_MIN = 1e-3
# In steps of y. The curvature is needed for changes of less than one step.
PROBE = 0.25


@dataclass(frozen=True)
class TileView:
    """The input of the encoder for one tile: the tile and its context.

    Attributes:
        x: The pixels, (1, 3, H, W).
        y: The output of g_a for the padded pixels, (1, M, h, w).
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
    """A view, how it is decoded, and the weight of its squared error in bits.

    Attributes:
        view: The tile and its context.
        synthesise: y_hat (1, M, h, w) -> x_hat (1, 3, H', W'), differentiable, H' >= H and W' >= W.
        weight: Bits per squared error of one sample of x, (1, 1, H, W) or (1, 1, 1, 1).
    """

    view: TileView
    synthesise: Callable[[Tensor], Tensor]
    weight: Tensor

    steps: ClassVar[Steps] = MSE_STEPS

    def decode(self, y_hat: Tensor) -> Tensor:
        """x_hat of the view for y_hat of the tile. The y of g_a replaces the y_hat of the tiles around."""
        view, y = self.view, self.view.y.clone()
        y[:, :, view.inside[0], view.inside[1]] = y_hat
        return self.synthesise(y)[:, :, : view.x.shape[2], : view.x.shape[3]]

    def distortion(self, x_hat: Tensor) -> Tensor:
        """The distortion in bits, a scalar that is differentiable by x_hat."""
        return self.squared_error(x_hat)

    def squared_error(self, x_hat: Tensor) -> Tensor:
        """The weighted squared error, a scalar."""
        return (self.weight * (x_hat - self.view.x).square()).sum()

    def worth(self, x_hat: Tensor, gradient: Tensor) -> float:
        """The ratio of the distortion to the squared error, by their slopes along the error of x_hat."""
        return 1.0


@dataclass(frozen=True)
class VisualProblem(RDProblem):
    """The same for weights that are tuned for the eye, with the distortion that they were trained for.

    Where the weight is f^2 times as large, errors count f times as large.

    Attributes:
        mix: The distortion.
        lam: Bits per pixel and unit of distortion.
    """

    mix: Mix
    lam: float

    steps: ClassVar[Steps] = VISUAL_STEPS

    def distortion(self, x_hat: Tensor) -> Tensor:
        x, pixels = self.view.x, self.view.x[0, 0].numel()
        error = (self.weight * 3 / (255**2 * self.lam)).sqrt() * (x_hat - x)
        return self.lam * pixels * distortion(self.mix, x + error, x).sum()

    def worth(self, x_hat: Tensor, gradient: Tensor) -> float:
        along = float((gradient * (x_hat - self.view.x)).sum()) / (2 * float(self.squared_error(x_hat)) or 1.0)
        return along if along > 0 else 1.0


@dataclass(frozen=True)
class Attempt:
    """A target as coded and decoded.

    Attributes:
        tried: Its estimate.
        x_hat: Its pixels, differentiable by `tried.y_hat`.
        cost: Bits and distortion together.
        gradient: The derivative of the distortion by x_hat; zero if no round follows.
    """

    tried: RateEstimate
    x_hat: Tensor
    cost: float
    gradient: Tensor


class LatentSearch:
    """The search of one tile at one quality.

    Args:
        problem: The tile and its distortion.
        coder: The coder, whose estimates are made in float32.
        levels: The quality level, (1,).
        step_exponent: Integers n (1, h, w), which divide steps by 2^(n / 4), or None.
    """

    def __init__(self, problem: RDProblem, coder: LatentCoder, levels: Tensor, step_exponent: Tensor | None) -> None:
        self.problem, self.coder, self.levels, self.step_exponent = problem, coder, levels, step_exponent
        self.gain, self.inverse = coder.gains(levels)
        part = (levels.item() / QUALITY_MAX) ** 2
        self.pull, self.slope = (a + (b - a) * part for a, b in (problem.steps.pull, problem.steps.slope))

    def run(self, rounds: int, done: ProgressCallback = no_progress) -> QuantTarget:
        """The best of the y of g_a and the results of all rounds; `done` hears of each round."""
        best = QuantTarget(self.problem.view.tile())
        if not rounds:
            return best
        steps, wanted, now = self.problem.steps, best.y * self.gain, self._try(best)
        curvature, lowest = self._curvature(now), now.cost
        rounding, metric = RDOQ(steps.strictness / 2 * curvature.flatten()), curvature * self._place_weight()
        for turn in with_progress(range(rounds), rounds, done):
            wanted = wanted - steps.fall**turn * self._move(wanted, now, metric)
            if not wanted.isfinite().all():  # the slope of g_s overflowed: no later round can recover
                break
            target = QuantTarget(wanted / self.gain, rounding)
            now = self._try(target, ahead=turn + 1 < rounds)
            if now.cost < lowest:
                best, lowest = target, now.cost
        return best

    def _try(self, target: QuantTarget, ahead: bool = True) -> Attempt:
        """A target with its cost, and with the gradient of its distortion if another round follows."""
        tried = self.coder.estimate(self.problem.view.tile(), self.levels, target, self.step_exponent)
        with torch.set_grad_enabled(ahead):
            x_hat = self.problem.decode(tried.y_hat.requires_grad_(ahead))
            pixels = x_hat.detach().requires_grad_(ahead)
            error = self.problem.distortion(pixels)
        gradient = torch.autograd.grad(error, pixels)[0] if ahead else torch.zeros_like(pixels)
        return Attempt(tried, x_hat, float(tried.bits.sum()) + error.item(), gradient)

    def _move(self, wanted: Tensor, now: Attempt, metric: Tensor) -> Tensor:
        """The step of the wanted y, times the gain: against the slope, and towards what was sent."""
        uphill = pull_back(now.gradient, now.x_hat, now.tried.y_hat) * self.inverse / metric
        limit = self.problem.steps.limit
        return self.pull * (wanted - now.tried.sent) + (self.slope * uphill).clamp(-limit, limit)

    def _curvature(self, now: Attempt) -> Tensor:
        """The second derivative of the distortion by y times the gain, per channel, outside regions, (1, M, 1, 1).

        It is estimated for the squared error by one random probe (Hutchinson 1990), averaged over positions.
        """
        y_hat, x_hat = now.tried.y_hat, now.x_hat
        generator = torch.Generator().manual_seed(0)
        signs = torch.randint(0, 2, y_hat.shape, generator=generator).to(y_hat) * 2 - 1
        with torch.no_grad():
            moved = self.problem.decode(y_hat + PROBE * signs * self.inverse)
            change = 2 * self.problem.weight * (moved - x_hat) / PROBE
        seen: Tensor = pull_back(change, x_hat, y_hat) * self.inverse * signs / self._place_weight()
        worth = self.problem.worth(x_hat.detach(), now.gradient)
        return worth * seen.mean((2, 3), keepdim=True).clamp(min=CURVATURE_MIN)

    def _place_weight(self) -> Tensor:
        """(1, 1, h, w) or 1: where steps are divided by f, errors weigh f^2 as much."""
        one = self.gain.new_ones(1, 1, 1, 1)
        if self.step_exponent is None:
            return one
        return torch.exp2(self.step_exponent.to(one) / (STEPS_PER_OCTAVE / 2))[:, None]


def pull_back(change: Tensor, x_hat: Tensor, y_hat: Tensor) -> Tensor:
    """The transposed Jacobian of x_hat by y_hat times a change of x_hat. The graph is kept."""
    back: Tensor = torch.autograd.grad(x_hat, y_hat, change, retain_graph=True)[0]
    return back


def search_problem(
    tune: str, view: TileView, synthesise: Callable[[Tensor], Tensor], weight: Tensor, level: int
) -> RDProblem:
    """The search problem of a tile, for weights of a tune at a level 0..10000.

    A view that is too small for the distortion of the tune is searched for squared error.
    """
    mix = MIXES[tune]
    if mix == MIXES["psnr"] or not mix.fits(min(view.x.shape[2:])):
        return RDProblem(view, synthesise, weight)
    return VisualProblem(view, synthesise, weight, mix, quality_lambda(torch.tensor([level])).item())


def distortion_weight(levels: Tensor, step_divisor: Tensor | None, x: Tensor) -> Tensor:
    """Bits per squared error of one sample of x: lambda 255^2 / 3, and f^2 as much where steps are f times finer.

    Args:
        levels: The quality level, (1,).
        step_divisor: The factor f at each position of y under x, (1, h, w), or None.
        x: The pixels, (1, 3, H, W), for size, type and device.
    """
    plain = (quality_lambda(levels) * 255**2 / 3).to(x).reshape(1, 1, 1, 1)
    if step_divisor is None:
        return plain
    scale = step_divisor.to(x).repeat_interleave(STRIDE, 1).repeat_interleave(STRIDE, 2)
    return plain * scale.square()[:, None, : x.shape[2], : x.shape[3]]


# The search of a tile cannot correct errors of its neighbours, so pixels along borders would lose more than others.
# Tried on training photographs: with a much larger weight, both sides correct the same error where steps are fine.
REACH, EXTRA = 32, 0.2


def border_weight(tile: Box, seen: Box, whole: Box) -> Tensor:
    """(1, 1, H, W) for the pixels of `seen`: 1, and more within `REACH` of the borders between `tile` and others."""
    rows = _near(tile.top, tile.bottom, whole.bottom, torch.arange(seen.top, seen.bottom))
    columns = _near(tile.left, tile.right, whole.right, torch.arange(seen.left, seen.right))
    return 1 + EXTRA * (rows[:, None] | columns)[None, None]


def _near(start: int, stop: int, end: int, at: Tensor) -> Tensor:
    """Which positions are near the start or stop of a tile, unless the picture begins or ends there."""
    near = torch.zeros_like(at, dtype=torch.bool)
    for border in {start, stop} - {0, end}:
        near |= (at >= border - REACH) & (at < border + REACH)
    return near
