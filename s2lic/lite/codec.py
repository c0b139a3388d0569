"""The codec without torch: decodes any file, and encodes at effort 0."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from s2lic.coding.decoder import ParsedFile, parse
from s2lic.coding.options import DecodeOptions, EncodeOptions
from s2lic.defaults import DEFAULT_MAX_PIXELS, SIDE
from s2lic.images.load import ImageLike
from s2lic.lite.encoder import OnnxEncoder
from s2lic.lite.networks import OnnxNetworks, open_networks
from s2lic.runtime import ProgressCallback, no_progress
from s2lic.weights import manifest
from s2lic.weights.arrays import WeightArrays, load_arrays, load_arrays_by_id, load_shipped_arrays


class LiteCodec:
    """Encodes and decodes with one model in memory, on onnxruntime.

    Args:
        model: The name of shipped weights, or the path of a weights file.
        max_pixels: Larger images are refused. None sets no limit.
        tile: The side of tiles in pixels.
        jobs: The number of tiles to work on at once.
        tune: Which weights of a named model.
        done: Called with the number of finished tiles and the number of all tiles.
        threads: Threads of onnxruntime for each tile; 0 takes all cores.

    Raises:
        UsageError, UnknownConfigError, InputMissingError, WeightsError, InexactDeviceError, BlockChoiceError.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        max_pixels: int | None = DEFAULT_MAX_PIXELS,
        tile: int = SIDE,
        jobs: int = 1,
        tune: str | None = None,
        done: ProgressCallback = no_progress,
        threads: int = 0,
    ) -> None:
        self.max_pixels, self.tile, self.jobs, self.done, self.threads = max_pixels, tile, jobs, done, threads
        self._model, self._tune = model, tune
        self._by_id: dict[bytes, OnnxNetworks] = {}
        self._own: OnnxNetworks | None = None
        if Path(model or "").suffix == ".safetensors":
            self._own = self._opened(load_arrays(Path(model or "")))

    def __repr__(self) -> str:
        found = self._row if self._own is None else self._own.weights
        model = found.config.partition("+tune=")[0]
        return f"<s2lic.lite.LiteCodec {model}, tune {found.tune}, model id {found.model_id.hex()}, onnxruntime>"

    @property
    def _row(self) -> manifest.WeightsRow:
        """The shipped weights that this codec encodes with. Raises UnknownConfigError."""
        return manifest.by_config(str(self._model) if self._model else None, self._tune)

    @property
    def networks(self) -> OnnxNetworks:
        """The networks that this codec encodes with. Shipped weights are opened on first use."""
        if self._own is None:
            self._own = self._opened(load_shipped_arrays(self._row))
        return self._own

    def encode(self, image: ImageLike, options: EncodeOptions = EncodeOptions()) -> bytes:
        """Encode an image to a file. Raises UsageError for options that need torch, or the errors of `as_image`."""
        return OnnxEncoder(self.networks, self.max_pixels, self.tile, self.jobs, self.done).encode(image, options)

    def encode_many_with(self, images: Iterable[ImageLike], options: EncodeOptions) -> list[bytes]:
        """Encode several images, in order."""
        return [self.encode(image, options) for image in images]

    def decode(self, data: bytes, options: DecodeOptions = DecodeOptions()) -> Image.Image:
        """Decode a file to an image. Raises BitstreamError or CropRangeError."""
        return self.open(data, options).decode(self.jobs, self.done)

    def decode_many_with(self, files: Iterable[bytes], options: DecodeOptions) -> list[Image.Image]:
        """Decode several files, in order."""
        return [self.decode(data, options) for data in files]

    def open(self, data: bytes, options: DecodeOptions = DecodeOptions()) -> ParsedFile[OnnxNetworks]:
        """Parse a file without decoding symbols. Raises BitstreamError, CropRangeError or UsageError."""
        return parse(data, self.max_pixels, self._networks_of, options)

    def _networks_of(self, model_id: bytes) -> OnnxNetworks:
        if model_id not in self._by_id:
            self._opened(load_arrays_by_id(model_id))
        return self._by_id[model_id]

    def _opened(self, weights: WeightArrays) -> OnnxNetworks:
        if weights.model_id not in self._by_id:
            self._by_id[weights.model_id] = open_networks(weights, self.threads)
        return self._by_id[weights.model_id]


def decode(data: bytes) -> Image.Image:
    """Decode one file. For many files, keep a `LiteCodec`. Raises the errors of `LiteCodec.decode`."""
    return LiteCodec().decode(data)
