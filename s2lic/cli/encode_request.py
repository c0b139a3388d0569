"""What `s2lic encode` asks of the codec: the encode options, and what is made anew for each picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from s2lic.cli.options import RuntimeName
from s2lic.coding.options import EncodeOptions
from s2lic.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

    from s2lic.cli.open_codec import AnyCodec
    from s2lic.codec import Codec

SALIENCY = "saliency"


@dataclass(frozen=True)
class InputPicture:
    """A picture that is ready to be coded, and what was changed to make it so."""

    image: Image.Image
    notes: list[str]

    @property
    def pixels(self) -> int:
        return self.image.width * self.image.height


@dataclass(frozen=True)
class EncodedPicture:
    """A file, and the fidelity that it reached if that was the target, by the key of its kind."""

    data: bytes
    reached: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EncodeRequest:
    """The options of a run.

    Attributes:
        options: What all pictures have in common.
        salient: Make a map of regions from each picture itself.
        adapt: Steps that adapters in g_a learn each picture.
    """

    options: EncodeOptions
    salient: bool = False
    adapt: int = 0

    def check_runtime(self, runtime: RuntimeName) -> None:
        """Raises UsageError for what only torch computes."""
        needs = {"--roi saliency": self.salient, "--adapt": self.adapt > 0}
        found = [name for name, asked in needs.items() if asked]
        if found and runtime is RuntimeName.onnx:
            raise UsageError(f"{found[0]} needs --runtime torch: pip install 's2lic[torch]', or leave it out")

    def encode(self, codec: AnyCodec, pictures: Sequence[InputPicture]) -> list[EncodedPicture]:
        """The files of pictures."""
        if self.salient or self.adapt or self.options.fidelity_kind:
            return [self._encode(cast("Codec", codec), picture.image) for picture in pictures]
        files = codec.encode_many_with([picture.image for picture in pictures], self.options)
        return [EncodedPicture(data) for data in files]

    def _encode(self, codec: Codec, image: Image.Image) -> EncodedPicture:
        """The file of one picture, with a map or adapters of its own, or for a target that is measured."""
        options = self.options
        if self.salient:
            from s2lic.eval.explain.regions import salient_regions

            options = replace(options, roi=salient_regions(codec, image, options.cond))
        if self.adapt:
            from s2lic.train.per_image import adapted

            codec = adapted(codec, image, options.quality_level, self.adapt, options.cond)
        if (kind := options.fidelity_kind) is None:
            return EncodedPicture(codec.encode_with(image, options))
        from s2lic.coding.trial_encoder import encode_to_target

        trial = encode_to_target(codec.encoder, image, options)
        return EncodedPicture(trial.data, {kind.key: trial.value})


def encode_request(roi: str | None, cond: Path | None, adapt: int, max_pixels: int, **options: Any) -> EncodeRequest:
    """The request of a command line, with the files that it names read.

    Args:
        roi: Name of a map of regions, or "saliency".
        cond: Name of a .npy file.
        adapt: Steps of adapters.
        max_pixels: The limit on the map.
        options: Fields of `EncodeOptions`.

    Raises:
        UsageError, QualityRangeError: Options exclude one another or are out of range.
        InputMissingError, ImageError, ConditionError: A file cannot be read.
    """
    from s2lic.images.load import read_image

    wanted = EncodeOptions(**options)
    if wanted.targets and adapt:
        raise UsageError("--adapt learns a picture at one quality: give -q instead of a target")
    if (name := map_file(roi)) is not None:
        wanted = replace(wanted, roi=read_image(name, max_pixels).image)
    if cond is not None:
        from s2lic.coding.conditioning import read_vector

        wanted = replace(wanted, cond=read_vector(cond))
    return EncodeRequest(wanted, salient=roi == SALIENCY, adapt=adapt)


def map_file(roi: str | None) -> str | None:
    """The picture that `--roi` names, if it names one."""
    return None if roi == SALIENCY else roi
