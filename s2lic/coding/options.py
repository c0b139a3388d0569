"""The options of encoding and decoding, listed once; this module does not import torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from s2lic.coding.targets import TARGETS, Target, TargetKind
from s2lic.defaults import DEFAULT_QUALITY, EFFORT_MAX, EFFORT_TILED, EFFORTS, SEARCHED_FROM
from s2lic.errors import CropRangeError, QualityRangeError, UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from s2lic.container.tiles import Layout
    from s2lic.images.load import ImageLike

Crop = tuple[int, int, int, int]  # x, y, width, height in pixels


@dataclass(frozen=True)
class EncodeOptions:
    """What an encoder is asked for. The quality and the targets exclude one another.

    Attributes:
        quality: 0..100. The default is 50.
        strip: Leave out ICC profile, Exif and XMP.
        strict: Refuse a picture that would lose something before it is coded.
        target_bpp: Bits per pixel to meet.
        target_size: Bytes to meet.
        target_psnr: PSNR to meet, in dB, alpha not counted.
        target_msssim: MS-SSIM to meet, in dB: -10 log10(1 - MS-SSIM).
        target_ssimulacra2: SSIMULACRA2 to meet, 100 at most.
        roi: Grey picture of what matters, stretched over the picture: white is coded finer, black coarser.
        effort: Rounds of the search for a smaller file, 0..9. The default is 5 for weights tuned for PSNR, 2 for those
            tuned for the eye, and 0 for pictures in tiles, for pictures that are too small for the search (less than
            161 pixels a side, tuned for the eye), and without torch.
        cond: Numbers that describe the picture, for a model that was trained with them.

    Raises:
        QualityRangeError: The quality is outside 0..100.
        UsageError: Another option is out of its range, or options exclude one another.
    """

    quality: float | None = None
    strip: bool = False
    strict: bool = False
    target_bpp: float | None = None
    target_size: int | None = None
    target_psnr: float | None = None
    target_msssim: float | None = None
    target_ssimulacra2: float | None = None
    roi: ImageLike | None = None
    effort: int | None = None
    cond: ArrayLike | None = None

    def __post_init__(self) -> None:
        if self.quality is not None and not 0 <= self.quality <= 100:
            raise QualityRangeError(f"quality {self.quality} is outside 0..100")
        if self.effort is not None and not 0 <= self.effort <= EFFORT_MAX:
            raise UsageError(f"effort {self.effort} is outside 0..{EFFORT_MAX}")
        given = [*(["quality"] if self.quality is not None else []), *self.targets]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} exclude one another; give one of them")
        for name, value in self.targets.items():
            if not 0 < value < math.inf:
                raise UsageError(f"{name} is a positive number, not {value}")

    @property
    def quality_level(self) -> int:
        """The quality as the header has it, 0..10000."""
        return round(100 * (DEFAULT_QUALITY if self.quality is None else self.quality))

    @property
    def targets(self) -> dict[str, float]:
        """The targets that were given, by name: one at most."""
        values = {name: getattr(self, name) for name in TARGETS}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def is_individual(self) -> bool:
        """Whether each picture has to be coded by itself."""
        return bool(self.targets) or self.roi is not None or self.cond is not None

    @property
    def fidelity_kind(self) -> TargetKind | None:
        """The kind of the target, if a file has to be decoded to measure it."""
        kinds = [TARGETS[name].kind for name in self.targets]
        return kinds[0] if kinds and kinds[0].needs_decoding else None

    def target(self, pixels: int) -> Target:
        """The target for a picture of so many pixels; one must have been given."""
        ((name, value),) = self.targets.items()
        option = TARGETS[name]
        return Target(option, option.to_goal(value, pixels), pixels)

    def bytes_for(self, pixels: int) -> float | None:
        """How many bytes a file of so many pixels may have, if the target is a size or a rate."""
        if self.target_size is not None:
            return self.target_size
        return None if self.target_bpp is None else self.target_bpp * pixels / 8

    def rounds(self, layout: Layout, tune: str) -> int:
        """The rounds of the search for a picture, with weights of a tune."""
        if self.effort is not None:
            return self.effort
        if layout.rows * layout.columns > 1:
            return EFFORT_TILED
        return EFFORTS[tune] if min(layout.width, layout.height) >= SEARCHED_FROM[tune] else 0


@dataclass(frozen=True)
class DecodeOptions:
    """What a decoder is asked for.

    Attributes:
        crop: The part of the picture to decode, (x, y, width, height) in pixels. The default is the whole.
        strip: Leave out ICC profile, Exif and XMP.

    Raises:
        CropRangeError: The crop is not four numbers.
    """

    crop: Crop | None = None
    strip: bool = False

    def __post_init__(self) -> None:
        if self.crop is not None and len(self.crop) != 4:
            raise CropRangeError(f"a crop is (x, y, width, height), not {len(self.crop)} numbers")
