"""The targets that an encoder can meet instead of a quality, as rows of data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class TargetKind:
    """A quantity that rate control can meet. Its scale is chosen so that it rises almost linearly with the quality.

    Attributes:
        key: Name of its value in the facts of a file.
        slope: Usual rise per quality level (0..10000).
        tolerance: Distance to the goal that is near enough to stop.
        search_drop: How much an encoder's search usually lowers it.
        share: Share of the pixels that has to be coded for an estimate.
        block: Side of the blocks that are coded for an estimate, in pixels.
        side_min: The shortest side of an image for which it is defined, in pixels.
        needs_decoding: Whether a file has to be decoded to measure it.
    """

    key: str
    slope: float
    tolerance: float
    search_drop: float
    share: float
    block: int
    side_min: int
    needs_decoding: bool


# The rate is the logarithm of bits per pixel. Files are checked to lie within 1 % of a rate, and within 0.05 dB or half
# a point of a fidelity. Errors differ more from block to block than bits do, so that PSNR needs a larger share. MS-SSIM
# and SSIMULACRA2 halve an image several times, so that they need larger blocks.
RATE = TargetKind("bpp", 2.2e-4, 0.007, search_drop=0.06, share=1 / 10, block=64, side_min=1, needs_decoding=False)
PSNR = TargetKind("psnr", 1.05e-3, 0.03, search_drop=0.17, share=1 / 6, block=64, side_min=1, needs_decoding=True)
MS_SSIM = TargetKind(
    "msssim_db", 1.1e-3, 0.03, search_drop=0.0, share=1 / 4, block=256, side_min=161, needs_decoding=True
)
SSIMULACRA2 = TargetKind(
    "ssimulacra2", 5e-3, 0.25, search_drop=0.0, share=1 / 4, block=256, side_min=225, needs_decoding=True
)


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
    "target_msssim": TargetOption(MS_SSIM, "{:.2f} dB of MS-SSIM", _same, _same),
    "target_ssimulacra2": TargetOption(SSIMULACRA2, "SSIMULACRA2 {:.1f}", _same, _same),
}


@dataclass(frozen=True)
class Target:
    """The goal for one image, on the scale of its kind."""

    option: TargetOption
    goal: float
    pixels: int

    @property
    def kind(self) -> TargetKind:
        return self.option.kind

    def show(self, value: float) -> str:
        """A value of the kind in the unit of the caller."""
        return self.option.unit.format(self.option.from_goal(value, self.pixels))
