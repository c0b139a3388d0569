"""From a wanted size or fidelity to a quality: search on a cheap sample, then correct by the whole picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from s2lic.errors import TargetRangeError, UsageError

LEVEL_MAX = 10_000
START = 5_000
SAMPLE_STEPS = 3
RATE_TRIALS, PSNR_TRIALS = 3, 1


class Kind(Enum):
    """What is aimed at, with its usual rise a level; rates are logarithms of bits a pixel."""

    rate = 2.2e-4
    psnr = 1.05e-3


@dataclass(frozen=True)
class Target:
    """A goal in the unit of its kind, and how near is near enough."""

    kind: Kind
    goal: float
    tolerance: float


@dataclass(frozen=True)
class Trial:
    """A file and what it measures, in the unit of the target; None if that was not measured."""

    data: bytes
    value: float | None


def target_of(bpp: float | None, size: int | None, psnr: float | None, pixels: tuple[int, int]) -> Target | None:
    """The one target that is given, if any; `pixels` is (width, height).

    Raises UsageError for several, or for none that a file could meet."""
    given = [value for value in (bpp, size, psnr) if value is not None]
    if not given:
        return None
    if len(given) > 1:
        raise UsageError("bits a pixel, size and PSNR cannot all be aimed at; give one target")
    if not 0 < given[0] < math.inf:
        raise UsageError(f"a target is a positive number, not {given[0]}")
    if psnr is not None:
        return Target(Kind.psnr, psnr, 0.03)
    return Target(Kind.rate, math.log(bpp if bpp is not None else 8 * given[0] / math.prod(pixels)), 0.005)


class Curve:
    """What the sample measures at the levels tried so far, rising, with straight lines between them."""

    def __init__(self, measure: Callable[[int], float], slope: float) -> None:
        self._measure, self._slope = measure, slope
        self._known: dict[int, float] = {}

    def solve(self, wanted: float, near: float) -> int:
        """The level of a value, tried until one comes near it; at the ends at most."""
        level = self._guess(wanted) if self._known else START
        for _ in range(SAMPLE_STEPS):
            if self._known and abs(self._nearest(wanted)[1] - wanted) <= near:
                break
            self._known.setdefault(level, self._measure(level))
            level = self._guess(wanted)
        return level

    def at(self, level: int) -> float:
        """The value there, by the nearest level that was tried."""
        known = min(self._known, key=lambda at: abs(at - level))
        return self._known[known] + self._rise(known) * (level - known)

    def _guess(self, wanted: float) -> int:
        level, value = self._nearest(wanted)
        return min(max(round(level + (wanted - value) / self._rise(level)), 0), LEVEL_MAX)

    def _nearest(self, wanted: float) -> tuple[int, float]:
        return min(self._known.items(), key=lambda point: abs(point[1] - wanted))

    def _rise(self, level: int) -> float:
        """The slope to the nearest other level, within reason: two close ones may stand askew."""
        others = [other for other in self._known if other != level]
        if not others:
            return self._slope
        other = min(others, key=lambda at: abs(at - level))
        slope = (self._known[other] - self._known[level]) / (other - level)
        return min(max(slope, self._slope / 2), self._slope * 2)


def meet(
    target: Target,
    sample: Callable[[int], float],
    whole: Callable[[int], Trial],
    plain: Callable[[int], bytes],
) -> bytes:
    """The file that comes nearest. Raises TargetRangeError if the goal lies beyond the ends of the scale.

    `sample` measures a part of the picture, `whole` makes the file and measures it, `plain` only makes it.
    """
    curve, offset = Curve(sample, target.kind.value), 0.0
    trials: dict[int, Trial] = {}
    for _ in range(RATE_TRIALS if target.kind is Kind.rate else PSNR_TRIALS):
        level = curve.solve(target.goal - offset, 8 * target.tolerance)
        if level in trials:
            break
        trials[level] = trial = whole(level)
        assert trial.value is not None
        if abs(trial.value - target.goal) <= target.tolerance:
            return trial.data
        _check_reach(target, level, trial.value)
        offset = trial.value - curve.at(level)
    if target.kind is Kind.psnr:
        level = curve.solve(target.goal - offset, 8 * target.tolerance)
        if level not in (0, LEVEL_MAX):
            return plain(level)
        trials[level] = trial = whole(level)
        assert trial.value is not None
        _check_reach(target, level, trial.value)
    return min(trials.values(), key=lambda trial: abs((trial.value or 0) - target.goal)).data


def _check_reach(target: Target, level: int, value: float) -> None:
    below = level == 0 and target.goal < value - 2 * target.tolerance
    above = level == LEVEL_MAX and target.goal > value + 2 * target.tolerance
    if below or above:
        side, word = ("least", "0") if below else ("most", "100")
        raise TargetRangeError(f"the target is out of reach: quality {word} gives {_shown(target, value)}, the {side}")


def _shown(target: Target, value: float) -> str:
    return f"{value:.2f} dB" if target.kind is Kind.psnr else f"{math.exp(value):.4f} bits a pixel"
