"""From a wanted size or fidelity to a quality: search on a cheap sample, then correct by the whole picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from s2lic.entropy.quality import QUALITY_MAX
from s2lic.errors import TargetRangeError, UsageError

START = QUALITY_MAX // 2
# What is sampled is small: between levels closer than this its line may stand askew.
APART = 1_000
# Near enough to stop: in logarithms of bits and in dB, within the 1 % and 0.05 dB that files are checked for.
RATE_TOLERANCE, PSNR_TOLERANCE = 0.007, 0.03
# A rise that was measured, beside the usual one: between close levels it may come out as nothing or below.
RISE_MIN, RISE_MAX = 1 / 64, 4.0


class Kind(Enum):
    """What is aimed at, with its usual rise a level; rates are logarithms of bits a pixel."""

    rate = 2.2e-4
    psnr = 1.05e-3


@dataclass(frozen=True)
class Target:
    """A goal in the unit of its kind, and how near is near enough; `pixels` of the picture if it was said in bytes."""

    kind: Kind
    goal: float
    tolerance: float
    pixels: int | None = None


@dataclass(frozen=True)
class Trial:
    """A file and what it measures, in the unit of the target.

    Files with another number of their `line` lie on a curve beside its own; `steeper`: its rise beside the sample's.
    """

    data: bytes
    value: float
    line: int = 0
    steeper: float = 1.0


def target_of(bpp: float | None, size: int | None, psnr: float | None, pixels: tuple[int, int]) -> Target | None:
    """The one target that is given, if any; `pixels` is (width, height).

    Raises UsageError for several, or for none that a file could meet.
    """
    given = [value for value in (bpp, size, psnr) if value is not None]
    if not given:
        return None
    if len(given) > 1:
        raise UsageError("bits a pixel, size and PSNR cannot all be aimed at; give one target")
    if not 0 < given[0] < math.inf:
        raise UsageError(f"a target is a positive number, not {given[0]}")
    if psnr is not None:
        return Target(Kind.psnr, psnr, PSNR_TOLERANCE)
    if bpp is not None:
        return Target(Kind.rate, math.log(bpp), RATE_TOLERANCE)
    return Target(Kind.rate, math.log(8 * given[0] / math.prod(pixels)), RATE_TOLERANCE, math.prod(pixels))


class Curve:
    """What was measured at the levels tried so far: rising, with straight lines between them."""

    def __init__(self, slope: float) -> None:
        self.known: dict[int, float] = {}
        self._slope = slope

    def solve(self, wanted: float, slope: float | None = None) -> int:
        """The level of a value, from the nearest one that is known; at the ends at most."""
        level, value = min(self.known.items(), key=lambda point: abs(point[1] - wanted))
        beyond = [other for other, known in self.known.items() if (known > wanted) != (value > wanted)]
        rise = self.rise(level, beyond) if slope is None or len(self.known) > 1 else slope
        return min(max(round(level + (wanted - value) / rise), 0), QUALITY_MAX)

    def rise(self, level: int, to: Sequence[int] = ()) -> float:
        """The slope to the nearest of those or of all levels, within reason; the usual one if there is none."""
        others = to or [other for other in self.known if other != level]
        if not others:
            return self._slope
        other = min(others, key=lambda at: abs(at - level))
        slope = (self.known[other] - self.known[level]) / (other - level)
        return min(max(slope, self._slope * RISE_MIN), self._slope * RISE_MAX)


def search(target: Target, sample: Callable[[int], float]) -> tuple[int, float]:
    """The level where the sample has the value that is wanted, and its slope around there, from two samples."""
    curve = Curve(target.kind.value)
    curve.known[START] = sample(START)
    second = curve.solve(target.goal)
    if abs(second - START) < APART:
        second = START + (APART if second > START else -APART)
    curve.known[second] = sample(second)
    return curve.solve(target.goal), curve.rise(second)


def meet(
    target: Target,
    sample: Callable[[int], float],
    whole: Callable[[int], Trial],
    plain: Callable[[int], bytes] | None,
    trials: int,
) -> bytes:
    """The file that comes nearest. Raises TargetRangeError if the goal lies beyond the ends of the scale.

    `sample` measures a part of the picture, `whole` makes the file and measures it, `trials` times at most. `plain`, if
    given, only makes it at the end, where what the file would measure is then known closely enough.
    """
    level, slope = search(target, sample)
    made: dict[int, Trial] = {}
    for _ in range(trials):
        at, trial = level, whole(level)
        made[at] = trial
        if abs(trial.value - target.goal) <= target.tolerance:
            return trial.data
        _check_reach(target, at, trial.value)
        curve = Curve(target.kind.value)
        # Beside a long way what lies between two curves is little.
        known = (other for other in made if made[other].line == trial.line or abs(other - at) >= APART)
        curve.known = {other: made[other].value for other in known}
        level = curve.solve(target.goal, slope * trial.steeper)
        if level in curve.known:
            break
    if level in (0, QUALITY_MAX) and level not in made:  # before a goal is refused, the end is measured
        made[level] = whole(level)
        _check_reach(target, level, made[level].value)
    if plain is not None and level not in made:
        return plain(level)
    return min(made.values(), key=lambda trial: abs(trial.value - target.goal)).data


def _check_reach(target: Target, level: int, value: float) -> None:
    below = level == 0 and target.goal < value - 2 * target.tolerance
    above = level == QUALITY_MAX and target.goal > value + 2 * target.tolerance
    if below or above:
        side, word, mend = ("least", "0", "more") if below else ("most", "100", "less")
        found = f"quality {word} gives {_shown(target, value)}, the {side}"
        raise TargetRangeError(f"the target is out of reach: {found}; aim at that or {mend}")


def _shown(target: Target, value: float) -> str:
    """The value in the unit that the goal was said in."""
    if target.kind is Kind.psnr:
        return f"{value:.2f} dB"
    if target.pixels is not None:
        return f"{math.exp(value) * target.pixels / 8:.0f} bytes"
    return f"{math.exp(value):.4f} bits a pixel"
