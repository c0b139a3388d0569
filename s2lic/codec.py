"""The codec: pictures to files and back, with the weights that a caller or a file names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from numpy.typing import ArrayLike
from PIL import Image

from s2lic.coding.batch import decode_all, encode_all
from s2lic.coding.decoder import ParsedFile, parse
from s2lic.coding.encoder import Encoder
from s2lic.coding.networks import AUTO, Networks
from s2lic.coding.options import Crop, DecodeOptions, EncodeOptions
from s2lic.coding.trial_encoder import encode_to_target
from s2lic.defaults import DEFAULT_MAX_PIXELS, SIDE
from s2lic.errors import DeviceMissingError, UsageError
from s2lic.images.load import ImageLike
from s2lic.runtime import ProgressCallback, check_forked, no_progress
from s2lic.weights import manifest
from s2lic.weights.store import Weights, load, load_by_id, load_shipped


class Codec:
    """Encodes and decodes many pictures with one model in memory.

    Args:
        model: The name of shipped weights, or the path of a weights file. A file that names other shipped weights is
            decoded with those.
        tune: Which set of a named model: "visual" for pictures that look like the original, "psnr" for a high PSNR.
            Without it, visual where it ships.
        device: "cpu", "cuda" or another device of torch.
        precision: That of g_a and g_s, "float32" or "bf16"; "auto" is float32 except for g_s on a CPU that multiplies
            bfloat16. Symbols never depend on it; a sample of a picture does by a level or two.
        max_pixels: Larger pictures are refused; None sets no limit.
        tile: The side of tiles in pixels, 256 to 2048. A picture of more than 2 tile^2 pixels is coded in tiles.
        jobs: How many tiles are coded at once.
        done: Called with the number of finished tiles and of all, or of search rounds for a picture in one stream. It
            starts again where a target takes several trials.

    Raises:
        UsageError, DeviceMissingError, UnknownConfigError, InputMissingError, WeightsError.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        device: str = "cpu",
        precision: str = AUTO,
        max_pixels: int | None = DEFAULT_MAX_PIXELS,
        tile: int = SIDE,
        jobs: int = 1,
        tune: str | None = None,
        done: ProgressCallback = no_progress,
    ) -> None:
        found = _checked(device, tile, jobs)
        self.networks = Networks(_open_weights(model, device, tune), found, precision)
        self.max_pixels, self.tile, self.jobs, self.done = max_pixels, tile, jobs, done
        self._by_id = {self.weights.model_id: self.networks}

    def __repr__(self) -> str:
        row = self.weights.model.row
        return f"<s2lic.Codec {row.model}, tune {row.tune}, model id {self.weights.model_id.hex()}, {self.device}>"

    @property
    def weights(self) -> Weights:
        """The weights that this codec encodes with."""
        return self.networks.weights

    @property
    def device(self) -> torch.device:
        """Where the networks run."""
        return self.networks.device

    @property
    def encoder(self) -> Encoder:
        """The encoder with the settings of this codec."""
        return Encoder(self.networks, self.max_pixels, self.tile, self.jobs, self.done)

    def encode(
        self,
        image: ImageLike,
        quality: float | None = None,
        strip: bool = False,
        strict: bool = False,
        *,
        target_bpp: float | None = None,
        target_size: int | None = None,
        target_psnr: float | None = None,
        target_msssim: float | None = None,
        target_ssimulacra2: float | None = None,
        roi: ImageLike | None = None,
        effort: int | None = None,
        cond: ArrayLike | None = None,
    ) -> bytes:
        """The file of a picture at a quality or at one target.

        Args:
            image: Pillow image, array, path, or the bytes of an image file.
            quality: 0..100; 50 by default.
            strip: Leave out ICC profile, Exif and XMP.
            strict: Refuse a picture that would lose something before it is coded.
            target_bpp: Bits per pixel to meet, instead of a quality.
            target_size: Bytes to meet.
            target_psnr: PSNR to meet in dB, alpha not counted.
            target_msssim: MS-SSIM to meet in dB, -10 log10(1 - MS-SSIM).
            target_ssimulacra2: SSIMULACRA2 to meet, 100 at most.
            roi: Grey picture of what matters, stretched over this one: white is coded finer, black coarser, mid-grey as
                usual, in cells of 64 pixels.
            effort: Rounds 0..9 of a search for fewer bits at the same fidelity. One takes about as long as coding the
                picture once, and three times as long for weights tuned for the eye. See `EncodeOptions`.
            cond: Numbers that describe the picture, for a model that was trained with them.

        Raises:
            QualityRangeError, TargetRangeError, ConditionError, UsageError, or what
            `s2lic.images.load.as_image` raises.
        """
        options = EncodeOptions(
            quality=quality,
            strip=strip,
            strict=strict,
            target_bpp=target_bpp,
            target_size=target_size,
            target_psnr=target_psnr,
            target_msssim=target_msssim,
            target_ssimulacra2=target_ssimulacra2,
            roi=roi,
            effort=effort,
            cond=cond,
        )
        return self.encode_with(image, options)

    def encode_with(self, image: ImageLike, options: EncodeOptions) -> bytes:
        """The file of a picture, as `encode` makes it."""
        check_forked(self.device.type)
        if options.targets:
            return encode_to_target(self.encoder, image, options).data
        return self.encoder.encode(image, options)

    def encode_many(
        self,
        images: Iterable[ImageLike],
        quality: float | None = None,
        strip: bool = False,
        strict: bool = False,
        *,
        effort: int | None = None,
    ) -> list[bytes]:
        """The files of pictures in their order, as `encode` makes them.

        Pictures of equal size are coded together if the effort is 0. Raises as `encode` does, for the first picture
        that is refused.
        """
        return self.encode_many_with(images, EncodeOptions(quality=quality, strip=strip, strict=strict, effort=effort))

    def encode_many_with(self, images: Iterable[ImageLike], options: EncodeOptions) -> list[bytes]:
        """The files of pictures in their order, as `encode` makes them with these options."""
        check_forked(self.device.type)
        if options.is_individual:
            return [self.encode_with(image, options) for image in images]
        encoder = self.encoder
        return encode_all(encoder, [encoder.prepare(image, options) for image in images], options.quality_level)

    def decode(self, data: bytes, crop: Crop | None = None, strip: bool = False) -> Image.Image:
        """The picture of a file, as it was encoded: RGB or grey, with its alpha, and its metadata in `info`.

        Args:
            data: The bytes of the file.
            crop: The part to decode, (x, y, width, height) in pixels. Of a tiled file only what it needs is decoded.
            strip: Leave out ICC profile, Exif and XMP.

        Raises:
            BitstreamError, CropRangeError.
        """
        return self.decode_with(data, DecodeOptions(crop, strip))

    def decode_with(self, data: bytes, options: DecodeOptions) -> Image.Image:
        """The picture of a file, as `decode` gives it."""
        return self.open(data, options).decode(self.jobs, self.done)

    def decode_many(self, files: Iterable[bytes]) -> list[Image.Image]:
        """The pictures of files in their order, as `decode` gives them; those of equal size are decoded together."""
        return self.decode_many_with(files, DecodeOptions())

    def decode_many_with(self, files: Iterable[bytes], options: DecodeOptions) -> list[Image.Image]:
        """The pictures of files in their order, as `decode` gives them with these options."""
        return decode_all([self.open(data, options) for data in files], self.jobs, self.done)

    def open(self, data: bytes, options: DecodeOptions = DecodeOptions()) -> ParsedFile[Networks]:
        """The parts of a file, before any symbol is decoded.

        Raises:
            BitstreamError, CropRangeError, or UsageError for what is not bytes.
        """
        check_forked(self.device.type)
        return parse(data, self.max_pixels, self._networks_of, options)

    def _networks_of(self, model_id: bytes) -> Networks:
        if model_id not in self._by_id:
            self._by_id[model_id] = replace(self.networks, weights=load_by_id(model_id, str(self.device)))
        return self._by_id[model_id]


def _checked(device: str, tile: int, jobs: int) -> torch.device:
    if min(tile, jobs) < 1:
        raise UsageError(f"tile and jobs are numbers from 1 up, not {tile} and {jobs}")
    try:
        found = torch.device(device)
        check_forked(found.type)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts that it is there
        raise DeviceMissingError(f"there is no device '{device}' here; leave it out for the CPU") from error
    return found


def _open_weights(model: str | Path | None, device: str, tune: str | None) -> Weights:
    path = Path(model or "")
    if path.suffix != ".safetensors":
        return load_shipped(manifest.by_config(str(model) if model else None, tune), device)
    if tune is not None:
        raise UsageError(f"{path} has a tune of its own; leave out tune, or give the name of a model")
    return load(path, device)
