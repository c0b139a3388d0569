"""An encoder's search: a y beside g_a's that costs less in bits and error together. No decoder knows of it.

g_a answers for all pictures at once; a picture's own y can be better (Campos et al. 2019; Yang et al. 2020, section 3).
Here it is found by Newton steps: each round codes y as it stands, asks g_s where its error would fall, and moves y
there by the error's curvature, which is nearly one number a channel; rounding then weighs bits against error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from s2lic.container.tiles import Box
from s2lic.entropy.latent_coder import FINER_AN_OCTAVE, LatentCoder, Rehearsal
from s2lic.entropy.quality import QUALITY_MAX, quality_lambda
from s2lic.entropy.rounding import Aim, Deadzone
from s2lic.transform.config import STRIDE

# Tried on validation crops. Larger first steps overshoot: errors of neighbours add up, and the curvature of one alone
# does not know of it; least so where steps of y are fine. For the same reason a zero costs more than its own error.
STEP_COARSE, STEP_FINE, FALL = 0.25, 0.4, 0.6
STRICTNESS = 1.5
# Steps are divided by the curvature, and one random probe may find none, or less, in a channel that g_s hardly heeds.
CURVATURE_MIN = 1e-3
# In steps of y: well within one, the reach that the curvature is asked for.
PROBE = 0.25


@dataclass(frozen=True)
class View:
    """What an encoder looks at for one tile: the tile and what is around it.

    x: its pixels, (1, 3, H, W). y: what g_a gives for them, (1, M, h, w), perhaps of a filled-up x. inside: the
    tile's rows and columns of y.
    """

    x: Tensor
    y: Tensor
    inside: tuple[slice, slice]

    def tile(self) -> Tensor:
        """y of the tile alone."""
        return self.y[:, :, self.inside[0], self.inside[1]]


@dataclass(frozen=True)
class Scene:
    """A view, how it is decoded, and what an error is worth.

    synthesise: y_hat (1, M, h, w) -> x_hat (1, 3, H', W'), differentiable, H' >= H and W' >= W. worth: bits for a
    squared error of one sample of x, (1, 1, H, W) or (1, 1, 1, 1).
    """

    view: View
    synthesise: Callable[[Tensor], Tensor]
    worth: Tensor

    def show(self, y_hat: Tensor) -> Tensor:
        """x_hat of the view for y_hat of the tile; g_a's own y stands for what its neighbours will send."""
        view, y = self.view, self.view.y.clone()
        y[:, :, view.inside[0], view.inside[1]] = y_hat
        return self.synthesise(y)[:, :, : view.x.shape[2], : view.x.shape[3]]

    def error(self, x_hat: Tensor) -> Tensor:
        """The error's worth in bits."""
        return (self.worth * (x_hat - self.view.x).square()).sum()

    def pull(self, x_hat: Tensor) -> Tensor:
        """The derivative of `error` by x_hat."""
        return 2 * self.worth * (x_hat - self.view.x)


class Search:
    """The search of one tile at one quality; `levels` (1,).

    finer: (1, h, w), how much finer the steps of each place are, as in coding.
    """

    def __init__(self, scene: Scene, coder: LatentCoder, levels: Tensor, finer: Tensor | None) -> None:
        self.scene, self.coder, self.levels, self.finer = scene, coder, levels, finer
        self.gain, self.inverse = coder.gains(levels)
        self.step = STEP_COARSE + (STEP_FINE - STEP_COARSE) * (levels.item() / QUALITY_MAX) ** 2

    def run(self, rounds: int) -> Aim:
        """The best of g_a's own y and what each of so many rounds gives; with none, g_a's own."""
        y = self.scene.view.tile()
        best, target = Aim(y), y * self.gain
        if not rounds:
            return best
        tried, x_hat = self._try(best)
        curvature = self._curvature(tried.y_hat, x_hat)
        rounding = Deadzone(STRICTNESS / 2 * curvature.flatten())
        metric, lowest = curvature * self._worth_of_places(), self._loss(tried, x_hat)
        for turn in range(rounds):
            slope = pulled_back(self.scene.pull(x_hat.detach()), x_hat, tried.y_hat)
            target = target - self.step * FALL**turn * (target - tried.sent + slope * self.inverse / metric)
            aim = Aim(target / self.gain, rounding)
            tried, x_hat = self._try(aim, ahead=turn + 1 < rounds)
            loss = self._loss(tried, x_hat)
            if loss < lowest:
                best, lowest = aim, loss
        return best

    def _try(self, aim: Aim, ahead: bool = True) -> tuple[Rehearsal, Tensor]:
        """What coding gives, and x_hat of it, which can be differentiated by y_hat if there is a round ahead."""
        tried = self.coder.rehearse(self.scene.view.tile(), self.levels, aim, self.finer)
        with torch.set_grad_enabled(ahead):
            return tried, self.scene.show(tried.y_hat.requires_grad_(ahead))

    def _loss(self, tried: Rehearsal, x_hat: Tensor) -> float:
        return float(tried.bits.sum()) + self.scene.error(x_hat.detach()).item()

    def _curvature(self, y_hat: Tensor, x_hat: Tensor) -> Tensor:
        """The error's second derivative by gained y in each channel at neutral places, (1, M, 1, 1).

        An estimate from one random probe (Hutchinson 1990), which the mean over places makes good.
        """
        generator = torch.Generator().manual_seed(0)
        signs = torch.randint(0, 2, y_hat.shape, generator=generator).to(y_hat) * 2 - 1
        with torch.no_grad():
            moved = self.scene.show(y_hat + PROBE * signs * self.inverse)
            change = 2 * self.scene.worth * (moved - x_hat) / PROBE
        seen: Tensor = pulled_back(change, x_hat, y_hat) * self.inverse * signs / self._worth_of_places()
        return seen.mean((2, 3), keepdim=True).clamp(min=CURVATURE_MIN)

    def _worth_of_places(self) -> Tensor:
        """(1, 1, h, w) or 1: steps f times finer are for errors worth f^2 as much."""
        one = self.gain.new_ones(1, 1, 1, 1)
        return one if self.finer is None else torch.exp2(self.finer.to(one) / (FINER_AN_OCTAVE / 2))[:, None]


def pulled_back(change: Tensor, x_hat: Tensor, y_hat: Tensor) -> Tensor:
    """A change of x_hat seen from y_hat: the transposed Jacobian times it. Can be asked again."""
    back: Tensor = torch.autograd.grad(x_hat, y_hat, change, retain_graph=True)[0]
    return back


def worth(levels: Tensor, fineness: Tensor | None, x: Tensor) -> Tensor:
    """Bits that a squared error of one sample of x (1, 3, H, W) is worth, lambda 255^2 / 3.

    It is f^2 as much where steps are f times finer. fineness: (1, h, w) of all places of y under x.
    """
    plain = (quality_lambda(levels) * 255**2 / 3).to(x).reshape(1, 1, 1, 1)
    if fineness is None:
        return plain
    steps = fineness.to(x).repeat_interleave(STRIDE, 1).repeat_interleave(STRIDE, 2)
    return plain * steps.square()[:, None, : x.shape[2], : x.shape[3]]


# A tile's search cannot make up for what its neighbour will do, so that pixels beside the border would lose more than
# others. Tried on training photographs: with much more both sides correct the same error where steps are fine.
REACH, EXTRA = 32, 0.2


def beside_borders(tile: Box, seen: Box, whole: Box) -> Tensor:
    """(1, 1, H, W) for the pixels of `seen`: 1, and more within `REACH` of the borders of `tile` inside the picture."""
    rows = _near(tile.top, tile.bottom, whole.bottom, torch.arange(seen.top, seen.bottom))
    columns = _near(tile.left, tile.right, whole.right, torch.arange(seen.left, seen.right))
    return 1 + EXTRA * (rows[:, None] | columns)[None, None]


def _near(start: int, stop: int, end: int, at: Tensor) -> Tensor:
    """Which places are near the start of a tile or its stop; those of the picture are no borders of tiles."""
    near = torch.zeros_like(at, dtype=torch.bool)
    for border in {start, stop} - {0, end}:
        near |= (at >= border - REACH) & (at < border + REACH)
    return near
