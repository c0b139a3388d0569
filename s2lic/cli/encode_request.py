"""What `s2lic encode` asks of the codec for each picture: a quality or a target, and what goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2lic.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

    from s2lic.codec import Codec
    from s2lic.coding.conditioning import Vector

SALIENCY = "saliency"


@dataclass(frozen=True)
class Read:
    """A picture that is ready to be coded, and what was done to it before."""

    image: Image.Image
    notes: list[str]

    @property
    def pixels(self) -> int:
        return self.image.width * self.image.height


@dataclass(frozen=True)
class EncodeRequest:
    """`target`: one of the codec's words for a target and its value, or nothing. `mask`: a map of regions.

    `salient`: make that map of each picture itself. `cond`: what a model is told of the pictures. `adapt`: steps that
    g_a learns each picture.
    """

    level: float
    target: dict[str, float]
    effort: int | None
    mask: Image.Image | None
    salient: bool
    cond: Vector | None
    adapt: int

    def code(self, codec: Codec, read: Sequence[Read]) -> list[bytes]:
        """The files of pictures, which are coded together if nothing is asked that goes picture by picture."""
        special = self.target or self.mask is not None or self.salient or self.cond is not None or self.adapt
        if special or len(read) == 1:
            return [self._adapted(codec, item.image).encode(item.image, **self._words(codec, item)) for item in read]
        return codec.encode_many([item.image for item in read], self.level, effort=self.effort)

    def _words(self, codec: Codec, item: Read) -> dict[str, Any]:
        words: dict[str, Any] = {**(self.target or {"quality": self.level}), "effort": self.effort}
        if self.cond is not None:
            words["cond"] = self.cond
        if self.salient:
            from s2lic.eval.explain.regions import salient_regions

            words["roi"] = salient_regions(codec, item.image, self.cond)
        elif self.mask is not None:
            words["roi"] = self.mask
        return words

    def _adapted(self, codec: Codec, image: Image.Image) -> Codec:
        """The codec for one picture."""
        if not self.adapt:
            return codec
        from s2lic.codec import quality_level
        from s2lic.train.per_image import adapted

        return adapted(codec, image, quality_level(self.level), self.adapt, self.cond)


def encode_request(
    quality: float | None,
    effort: int | None,
    roi: str | None,
    cond: Path | None,
    adapt: int,
    max_pixels: int,
    **targets: float | None,
) -> EncodeRequest:
    """The options of the command, its files read. Raises UsageError, and what those files are refused with."""
    from s2lic.coding.conditioning import read_vector
    from s2lic.images.load import read_image

    target, grey = _target(quality, adapt, targets), map_file(roi)
    mask = None if grey is None else read_image(grey, max_pixels).image
    vector = None if cond is None else read_vector(cond)
    return EncodeRequest(50.0 if quality is None else quality, target, effort, mask, roi == SALIENCY, vector, adapt)


def map_file(roi: str | None) -> str | None:
    """The picture that `--roi` names, if it names one."""
    return None if roi == SALIENCY else roi


def _target(quality: float | None, adapt: int, targets: dict[str, float | None]) -> dict[str, float]:
    """The target that was given, if one was. Raises UsageError for two, or for words that do not go with one."""
    given = {name: value for name, value in targets.items() if value is not None}
    if len(given) + (quality is not None) > 1:
        raise UsageError("-q, --target-bpp, --target-size and --target-psnr exclude one another; give one of them")
    if given and adapt:
        raise UsageError("--adapt learns a picture at one quality: give -q instead of a target")
    return given
