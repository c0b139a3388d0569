"""The decoder: from a file to an image, or to a part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from s2lic.coding.options import DecodeOptions
from s2lic.coding.roi import Roi, unpack_roi
from s2lic.coding.streams import GREY, check_payload_sizes, from_container, latent_size
from s2lic.coding.tiling import Latent, Pixels, Window, decode_windows, paste_windows
from s2lic.container.boxes import Header, Limits, unpack
from s2lic.container.tiles import Box, Cell, Layout, crop_box
from s2lic.entropy.config import EntropyRow
from s2lic.entropy.latent_size import LatentSize
from s2lic.entropy.symbol_coder import SymbolStream
from s2lic.entropy.tables import Tables
from s2lic.errors import UsageError
from s2lic.images.extras import alpha_of, join_extras
from s2lic.runtime import ProgressCallback, no_progress


class DecoderNetworks(Protocol):
    """The networks that a decoder needs. They run on torch or on onnxruntime."""

    @property
    def entropy_row(self) -> EntropyRow:
        """The sizes of the entropy model."""

    @property
    def tables(self) -> Tables:
        """The tables of the range coder."""

    def decode_latent(
        self,
        streams: list[SymbolStream],
        levels: list[int],
        size: LatentSize,
        step_exponent: NDArray[np.int64] | None = None,
    ) -> Latent:
        """y_hat (B, M, h, w) of streams of equal size. `step_exponent` is (B, h, w). Raises a BitstreamError."""

    def synthesise(self, y_hat: Latent, level: int) -> Pixels:
        """g_s: y_hat -> (B, 3, H, W) uint8."""


AnyNetworks = TypeVar("AnyNetworks", bound=DecoderNetworks)


@dataclass(frozen=True)
class ParsedFile(Generic[AnyNetworks]):
    """A file whose container has been checked and whose symbols have not been decoded yet.

    Attributes:
        header: The header.
        networks: The networks of the model that the header names.
        layout: One stream or tiles.
        streams: One per tile, in the order of the file.
        area: The part of the image to decode.
        regions: The map of regions, if there is one.
        alpha: The alpha channel of the area, if there is one.
        extras: The boxes of alpha and metadata, by name.
    """

    header: Header
    networks: AnyNetworks
    layout: Layout
    streams: list[SymbolStream]
    area: Box
    regions: Roi | None
    alpha: Image.Image | None
    extras: Mapping[str, bytes]

    @property
    def latent_size(self) -> LatentSize | None:
        """The size of y, if the file has one stream and no map of regions."""
        return latent_size(self.layout.whole) if len(self.streams) == 1 and self.regions is None else None

    def latent(self, cell: Cell) -> Latent:
        """y_hat of one tile, (1, M, h, w) float32. Raises a BitstreamError."""
        tile, stream = self.layout.tile(*cell), self.streams[cell[0] * self.layout.columns + cell[1]]
        step_exponent = None if self.regions is None else self.regions.step_exponent(tile)[None]
        return self.networks.decode_latent([stream], [self.header.quality], latent_size(tile), step_exponent)

    def decode(self, jobs: int = 1, done: ProgressCallback = no_progress) -> Image.Image:
        """Decode the image. Raises a BitstreamError.

        Args:
            jobs: The number of tiles to work on at once.
            done: Called after each tile.
        """
        synthesise = partial(self.networks.synthesise, level=self.header.quality)
        return self.assemble(decode_windows(self.layout, self.area, self.latent, synthesise, jobs, done))

    def assemble(self, windows: Iterable[Window]) -> Image.Image:
        """The image from its decoded windows, with alpha and metadata."""
        picture = paste_windows(windows, self.area, grey=self.header.colour == GREY)
        return join_extras(picture, self.alpha, self.extras)


def parse(
    data: object, max_pixels: int | None, networks_of: Callable[[bytes], AnyNetworks], options: DecodeOptions
) -> ParsedFile[AnyNetworks]:
    """Parse a file and check all that can be checked without decoding symbols.

    Args:
        data: The bytes of the file.
        max_pixels: The limit on the pixels of the image, or None.
        networks_of: Returns the networks for a model id.
        options: The crop, and whether to drop metadata.

    Raises:
        BitstreamError: The file is damaged, or needs a feature that this release lacks.
        CropRangeError: The crop is not within the image.
        UsageError: `data` is not bytes.
    """
    container = unpack(_bytes(data), Limits(max_pixels))
    header = container.header
    networks, size = networks_of(header.model_id), (header.width, header.height)
    row = networks.entropy_row
    layout, streams = from_container(container, row)
    area = layout.whole if options.crop is None else crop_box(options.crop, layout.whole)
    check_payload_sizes(row, networks.tables, streams, header.quality, layout)
    regions = unpack_roi(container.roi, size) if container.roi else None
    alpha = alpha_of(container.extras, size, area.corners)
    extras = {} if options.strip else container.extras
    return ParsedFile(header, networks, layout, streams, area, regions, alpha, extras)


def _bytes(data: object) -> bytes:
    """The bytes of a buffer. `bytes()` alone would accept a number too."""
    try:
        return bytes(memoryview(data))  # type: ignore[arg-type]
    except TypeError as error:
        raise UsageError(
            f"decoding takes the bytes of a file, not {type(data).__name__}: pass Path(name).read_bytes()"
        ) from error
