"""From a target to a quality: two estimates give a first guess, and measured files correct it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from s2lic.coding.targets import Target
from s2lic.entropy.quality import QUALITY_MAX
from s2lic.errors import TargetRangeError, TargetWarning

START = QUALITY_MAX // 2
# Estimates see little of the picture: between levels closer than this the slope of their line may be wrong.
APART = 1_000
# Limits of a measured slope, relative to the usual one: between close levels it may come out as zero or negative.
SLOPE_MIN, SLOPE_MAX = 1 / 64, 4.0


@dataclass(frozen=True)
class RateTrial:
    """A file and what it measures, on the scale of the target.

    Attributes:
        data: The file.
        value: The rate or the fidelity.
        line: Files with the same number lie on one curve, others on a curve beside it.
        steeper: The slope of that curve relative to the slope of the estimates.
    """

    data: bytes
    value: float
    line: int = 0
    steeper: float = 1.0


class Trials(Protocol):
    """One picture at any quality level, for one kind of target."""

    @property
    def searches(self) -> bool:
        """Whether each file takes a search."""

    @property
    def keeps(self) -> bool:
        """Whether results are kept from file to file, so that later ones take less time."""

    def estimate(self, quality_level: int) -> float:
        """About the value of the file, without making it."""

    def measure(self, quality_level: int) -> RateTrial:
        """The file and its value."""


class LevelCurve:
    """What was measured at the levels tried so far: rising, with straight lines between them."""

    def __init__(self, slope: float) -> None:
        self.known: dict[int, float] = {}
        self._slope = slope

    def level_of(self, wanted: float, slope: float | None = None) -> int:
        """The level of a value, from the nearest one that is known; limited to the ends of the scale."""
        level, value = min(self.known.items(), key=lambda point: abs(point[1] - wanted))
        beyond = [other for other, known in self.known.items() if (known > wanted) != (value > wanted)]
        rise = self.slope_at(level, beyond) if slope is None or len(self.known) > 1 else slope
        return min(max(round(level + (wanted - value) / rise), 0), QUALITY_MAX)

    def slope_at(self, level: int, to: Sequence[int] = ()) -> float:
        """The slope to the nearest of some levels or of all, within limits; the usual one if there is none."""
        others = to or [other for other in self.known if other != level]
        if not others:
            return self._slope
        other = min(others, key=lambda at: abs(at - level))
        slope = (self.known[other] - self.known[level]) / (other - level)
        return min(max(slope, self._slope * SLOPE_MIN), self._slope * SLOPE_MAX)


def first_guess(target: Target, estimate: Callable[[int], float]) -> tuple[int, float]:
    """The level where the estimate meets the goal, and the slope around there, from two estimates."""
    curve = LevelCurve(target.kind.slope)
    curve.known[START] = estimate(START)
    second = curve.level_of(target.goal)
    if abs(second - START) < APART:
        second = START + (APART if second > START else -APART)
    curve.known[second] = estimate(second)
    return curve.level_of(target.goal), curve.slope_at(second)


def solve(target: Target, trials: Trials) -> RateTrial:
    """The measured file that comes nearest to the target.

    A rate is an upper bound and a fidelity is a lower bound. Where an end of the quality scale is within a bound that
    lies beyond it, the file of that end is returned, with a TargetWarning.

    Raises:
        TargetRangeError: No quality is within the goal.
    """
    level, slope = first_guess(target, trials.estimate)
    made: dict[int, RateTrial] = {}
    for _ in range(_files_to_measure(trials)):
        at, trial = level, trials.measure(level)
        made[at] = trial
        if abs(trial.value - target.goal) <= target.kind.tolerance or _ends_within(target, at, trial.value):
            return trial
        curve = LevelCurve(target.kind.slope)
        # Over a long way the distance between two curves matters little.
        known = (other for other in made if made[other].line == trial.line or abs(other - at) >= APART)
        curve.known = {other: made[other].value for other in known}
        level = curve.level_of(target.goal, slope * trial.steeper)
        if level in curve.known:
            break
    if level in (0, QUALITY_MAX) and level not in made:  # a goal is refused only by what the end was measured to give
        made[level] = trials.measure(level)
        if _ends_within(target, level, made[level].value):
            return made[level]
    return min(made.values(), key=lambda trial: abs(trial.value - target.goal))


def _files_to_measure(trials: Trials) -> int:
    """How many files may be made and measured. After a search whose result is kept, most take little time."""
    if not trials.keeps:
        return 2
    return 5 if trials.searches else 3


def _ends_within(target: Target, level: int, value: float) -> bool:
    """Whether an end of the scale is within a goal that lies beyond it. Raises TargetRangeError where it is not."""
    margin = 2 * target.kind.tolerance
    below = level == 0 and target.goal < value - margin
    above = level == QUALITY_MAX and target.goal > value + margin
    if not (below or above):
        return False
    side, quality, advice = ("least", "0", "more") if below else ("most", "100", "less")
    found = f"quality {quality} gives {target.show(value)}, the {side}"
    if below != target.kind.needs_decoding:
        raise TargetRangeError(f"the target is out of reach: {found}; aim at that or {advice}")
    warnings.warn(f"the target lies beyond the scale: {found}", TargetWarning, stacklevel=4)
    return True
