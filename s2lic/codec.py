"""The codec: pictures to files and back, with the weights that a caller or a file names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from s2lic.coding.batch import decode_all, encode_all
from s2lic.coding.conditioning import checked
from s2lic.coding.decoder import Opened
from s2lic.coding.encoder import Trials
from s2lic.coding.networks import AUTO, Networks
from s2lic.coding.rate_control import Kind, meet, target_of
from s2lic.coding.roi import roi_of, unpack_roi
from s2lic.coding.streams import check_claims, scatter
from s2lic.container.boxes import Limits, unpack
from s2lic.container.tiles import crop_box
from s2lic.defaults import DEFAULT_MAX_PIXELS, DEFAULT_QUALITY, SIDE, check_effort
from s2lic.entropy.quality import QUALITY_MAX
from s2lic.errors import DeviceMissingError, QualityRangeError, UsageError
from s2lic.images.extras import alpha_of, split_extras
from s2lic.images.load import ImageLike, as_image
from s2lic.progress import ProgressCallback, no_progress
from s2lic.weights import manifest
from s2lic.weights.store import Weights, load, load_shipped


class Codec:
    """Encodes and decodes many pictures with one model in memory.

    Args:
        model: the name of shipped weights, or the path of a weights file. A file that names other shipped weights is
            decoded with those.
        tune: which set of a named model: "visual" for pictures that look like the original, "psnr" for a high PSNR.
            Without it, visual where it ships.
        device: "cpu", "cuda" or another device of torch.
        precision: that of g_a and g_s, "float32" or "bf16"; "auto" is float32 except for g_s on a CPU that multiplies
            bfloat16. Symbols never depend on it; a sample of a picture does by a level or two.
        max_pixels: larger pictures are refused; None sets no limit.
        tile: the side of tiles in pixels, 256 to 2048. A picture of more than 2 tile^2 pixels is coded in tiles.
        jobs: how many tiles are coded at once.
        done: called with the number of finished tiles and of all; it starts again where a target takes several trials.

    Raises UsageError, DeviceMissingError, UnknownConfigError, InputMissingError, WeightsError.
    """

    def __init__(
        self,
        model: str | Path = manifest.DEFAULT_MODEL,
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

    @property
    def weights(self) -> Weights:
        return self.networks.weights

    @property
    def device(self) -> torch.device:
        return self.networks.device

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
        roi: ImageLike | None = None,
        effort: int | None = None,
        cond: ArrayLike | None = None,
    ) -> bytes:
        """The file of a picture (Pillow image, array or path) at quality 0..100, 50 if nothing is said.

        Instead of a quality, one target: bits a pixel, bytes of the file, or dB of PSNR without alpha. `strip` leaves
        out ICC profile, Exif and XMP; `strict` refuses a picture that would have to lose something before it is coded.
        `roi` is a grey picture of what matters, stretched over this one: white is coded finer, black coarser, mid-grey
        as ever, in cells of 64 pixels. `effort` 0..9 is the rounds of a search for fewer bits at the same fidelity; one
        takes about as long as coding the picture once; left out, it is 5, and 0 for a picture in tiles. `cond` is what
        a model that was trained so is told of the picture, a row of numbers; decoders do not need it.
        Raises QualityRangeError, TargetRangeError, ConditionError, UsageError, or what
        `s2lic.images.as_image` raises.
        """
        level = quality_level(50.0 if quality is None else quality)
        picture, extras = split_extras(as_image(image, self.max_pixels, strict), strip)
        target = target_of(target_bpp, target_size, target_psnr, picture.size)
        regions = None if roi is None else roi_of(as_image(roi, self.max_pixels), picture.size)
        kind = target.kind if target else None
        trials = self._trials(picture, extras, regions, kind, check_effort(effort), self.beside(cond))
        if target is None:
            return trials.plain(level)
        if quality is not None:
            raise UsageError("a quality and a target cannot both be met; give one of them")
        if target.kind is Kind.rate:
            return meet(target, trials.sample_rate, trials.rate, None, trials.most)
        # What a search gives is less even than what rounding gives, and to measure it costs little beside it.
        plain, count = (None, trials.most) if trials.effort else (trials.plain, 1)
        return meet(target, trials.sample_psnr, trials.psnr, plain, count)

    def decode(self, data: bytes, crop: tuple[int, int, int, int] | None = None) -> Image.Image:
        """The picture of a file, as it was taken: RGB or grey, its alpha, its metadata in `info`.

        `crop` is (x, y, width, height) in pixels; of a tiled file only what the crop needs is decoded.
        Raises a BitstreamError, or CropRangeError.
        """
        return self.open(data, crop).painted(self.jobs, self.done)

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

        Those of equal size are coded together where there is no effort.
        Raises as `encode` does, for the first picture that is refused.
        """
        level = quality_level(50.0 if quality is None else quality)
        self.beside(None)  # a model that is told of each picture codes them one by one
        taken = (split_extras(as_image(image, self.max_pixels, strict), strip) for image in images)
        rounds = check_effort(effort)
        return encode_all(self.networks, [self._trials(*parts, effort=rounds) for parts in taken], level)

    def decode_many(self, files: Iterable[bytes]) -> list[Image.Image]:
        """The pictures of files in their order, as `decode` gives them; those of equal size are decoded together.

        Raises as `decode` does.
        """
        return decode_all([self.open(data) for data in files], self.jobs, self.done)

    def open(self, data: bytes, crop: tuple[int, int, int, int] | None = None) -> Opened:
        """The parts of a file, before any symbol is decoded.

        Raises a BitstreamError, CropRangeError, or UsageError for anything but bytes.
        """
        container = unpack(_bytes(data), Limits(self.max_pixels))
        header = container.header
        networks, levels = self._networks_of(header.model_id), torch.tensor([header.quality], device=self.device)
        weights = networks.weights
        layout, coded = scatter(container, weights.model.row.entropy)
        area = layout.whole if crop is None else crop_box(crop, layout.whole)
        check_claims(weights.model.entropy, weights.tables, coded, levels, layout)
        regions = unpack_roi(container.roi, (header.width, header.height)) if container.roi else None
        alpha = alpha_of(container.extras, (header.width, header.height), area.corners)
        return Opened(header, networks, levels, layout, coded, area, regions, alpha, container.extras)

    def beside(self, cond: ArrayLike | None) -> Tensor | None:
        """What g_a is told beside the quality, (1, numbers).

        Raises ConditionError.
        """
        count = self.weights.model.row.transform.cond
        if cond is None and not count:
            return None
        return torch.from_numpy(checked(cond, count))[None].to(self.device)

    @property
    def _trials(self) -> partial[Trials]:
        return partial(Trials, self.networks, tile=self.tile, jobs=self.jobs, done=self.done)

    def _networks_of(self, model_id: bytes) -> Networks:
        if model_id not in self._by_id:
            shipped = load_shipped(manifest.by_id(model_id), str(self.device))
            self._by_id[model_id] = replace(self.networks, weights=shipped)
        return self._by_id[model_id]


def encode(
    image: ImageLike,
    quality: float = DEFAULT_QUALITY,
    model: str | Path = manifest.DEFAULT_MODEL,
    strip: bool = False,
    strict: bool = False,
    effort: int | None = None,
) -> bytes:
    """The file of one picture; for many, keep a `Codec`. Raises as `Codec.encode` does."""
    return Codec(model).encode(image, quality, strip, strict, effort=effort)


def decode(data: bytes) -> Image.Image:
    """The picture of one file; for many, keep a `Codec`. Raises as `Codec.decode` does."""
    return Codec().decode(data)


def quality_level(quality: float) -> int:
    """100 x quality as the header's integer. Raises QualityRangeError."""
    if not 0 <= quality <= 100:
        raise QualityRangeError(f"quality {quality} is outside 0..100")
    return round(quality * QUALITY_MAX / 100)


def _checked(device: str, tile: int, jobs: int) -> torch.device:
    if min(tile, jobs) < 1:
        raise UsageError(f"tile and jobs are numbers from 1 up, not {tile} and {jobs}")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts that it is there
        raise DeviceMissingError(f"there is no device '{device}' here; leave it out for the CPU") from error
    return found


def _open_weights(model: str | Path, device: str, tune: str | None) -> Weights:
    path = Path(model)
    if path.suffix != ".safetensors":
        return load_shipped(manifest.by_config(str(model), tune), device)
    if tune is not None:
        raise UsageError(f"{path} has a tune of its own; leave out tune, or give the name of a model")
    return load(path, device)


def _bytes(data: object) -> bytes:
    """The bytes of a buffer. Raises UsageError for anything else: `bytes` would take a path or a number too."""
    try:
        return bytes(memoryview(data))  # type: ignore[arg-type]
    except TypeError as error:
        raise UsageError(
            f"what is decoded are the bytes of a file, not {type(data).__name__}: give Path(name).read_bytes()"
        ) from error
