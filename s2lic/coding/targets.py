"""The targets that an encoder can meet instead of a quality, as rows of data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class TargetKind:
    """A quantity that rate control can meet. Its scale is chosen so that it rises almost linearly with the quality.

    Attributes:
        name: Short name, for messages and tables of functions.
        slope: Usual rise per quality level (0..10000).
        tolerance: Distance to the goal that is near enough to stop.
        search_drop: How much an encoder's search usually lowers it.
        share: Share of the pixels that has to be coded for an estimate.
        needs_decoding: Whether a file has to be decoded to measure it.
    """

    name: str
    slope: float
    tolerance: float
    search_drop: float
    share: float
    needs_decoding: bool


# The rate is the logarithm of bits per pixel. Files are checked to lie within 1 % or 0.05 dB of their targets.
# Errors differ more from block to block than bits do, so that PSNR needs a larger share.
RATE = TargetKind("rate", slope=2.2e-4, tolerance=0.007, search_drop=0.06, share=1 / 10, needs_decoding=False)
PSNR = TargetKind("PSNR", slope=1.05e-3, tolerance=0.03, search_drop=0.17, share=1 / 6, needs_decoding=True)


@dataclass(frozen=True)
class TargetOption:
    """The unit in which a caller gives a target.

    Attributes:
        kind: What is met.
        unit: Format of a value with its unit.
        to_goal: From a value and the number of pixels to the scale of the kind.
        from_goal: The inverse.
    """

    kind: TargetKind
    unit: str
    to_goal: Callable[[float, int], float]
    from_goal: Callable[[float, int], float]


def _same(value: float, pixels: int) -> float:
    return value


# By the names of the options. A row here needs a field of `EncodeOptions` and a command-line option of the same name.
TARGETS = {
    "target_bpp": TargetOption(RATE, "{:.4f} bits per pixel", lambda v, _: math.log(v), lambda g, _: math.exp(g)),
    "target_size": TargetOption(
        RATE, "{:.0f} bytes", lambda v, pixels: math.log(8 * v / pixels), lambda g, pixels: math.exp(g) * pixels / 8
    ),
    "target_psnr": TargetOption(PSNR, "{:.2f} dB", _same, _same),
}


@dataclass(frozen=True)
class Target:
    """The goal for one picture, on the scale of its kind."""

    option: TargetOption
    goal: float
    pixels: int

    @property
    def kind(self) -> TargetKind:
        return self.option.kind

    def show(self, value: float) -> str:
        """A value of the kind in the unit of the caller."""
        return self.option.unit.format(self.option.from_goal(value, self.pixels))
