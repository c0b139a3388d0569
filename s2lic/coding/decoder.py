"""The decoder: a file becomes a picture, or a part of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from PIL import Image
from torch import Tensor

from s2lic.coding.networks import Networks
from s2lic.coding.options import DecodeOptions
from s2lic.coding.roi import Roi, finer_steps, unpack_roi
from s2lic.coding.streams import GREY, check_payload_sizes, from_container, latent_size
from s2lic.coding.tiling import Window, decode_windows, paste_windows
from s2lic.container.boxes import Header, Limits, unpack
from s2lic.container.tiles import Box, Cell, Layout, crop_box
from s2lic.entropy.latent_coder import LatentSize
from s2lic.entropy.symbol_coder import Coded
from s2lic.errors import UsageError
from s2lic.images.extras import alpha_of, join_extras
from s2lic.progress import ProgressCallback, no_progress


@dataclass(frozen=True)
class ParsedFile:
    """A file whose container has been checked and whose symbols have not been decoded yet.

    Attributes:
        header: The fields of its header.
        networks: Those of the model that it names.
        layout: One stream or tiles.
        streams: One per tile, in the order of the file.
        area: The part of the picture that is wanted.
        regions: The map of regions, if there is one.
        alpha: The alpha channel of the area, if there is one.
        extras: The boxes of alpha and metadata, by name.
    """

    header: Header
    networks: Networks
    layout: Layout
    streams: list[Coded]
    area: Box
    regions: Roi | None
    alpha: Image.Image | None
    extras: Mapping[str, bytes]

    @property
    def latent_size(self) -> LatentSize | None:
        """The size of y, if the file is one stream whose steps are the same everywhere."""
        return latent_size(self.layout.whole) if len(self.streams) == 1 and self.regions is None else None

    @property
    def levels(self) -> Tensor:
        """The quality level, (1,)."""
        return torch.tensor([self.header.quality], device=self.networks.device)

    def latent(self, cell: Cell) -> Tensor:
        """y_hat of one tile, (1, M, h, w) float32. Raises a BitstreamError."""
        tile, stream = self.layout.tile(*cell), self.streams[cell[0] * self.layout.columns + cell[1]]
        finer = finer_steps(self.regions, [tile])
        return self.networks.weights.coder.decode([stream], self.levels, latent_size(tile), finer)

    def decode(self, jobs: int = 1, done: ProgressCallback = no_progress) -> Image.Image:
        """The picture. Raises a BitstreamError.

        Args:
            jobs: The number of tiles to work on at once.
            done: Hears of each tile.
        """
        synthesise = partial(self.networks.synthesise, level=self.header.quality)
        return self.assemble(decode_windows(self.layout, self.area, self.latent, synthesise, jobs, done))

    def assemble(self, windows: Iterable[Window]) -> Image.Image:
        """The picture made of decoded windows, with its alpha and metadata."""
        picture = paste_windows(windows, self.area, grey=self.header.colour == GREY)
        return join_extras(picture, self.alpha, self.extras)


def parse(
    data: object, max_pixels: int | None, networks_of: Callable[[bytes], Networks], options: DecodeOptions
) -> ParsedFile:
    """The parts of a file, all checks done that need no symbol.

    Args:
        data: The bytes of the file.
        max_pixels: The limit on the picture, or None.
        networks_of: Gives the networks of a model id.
        options: What is wanted of the file.

    Raises:
        BitstreamError: The file is damaged, or needs what this release lacks.
        CropRangeError: The crop is not within the picture.
        UsageError: `data` is not bytes.
    """
    container = unpack(_bytes(data), Limits(max_pixels))
    header = container.header
    networks, size = networks_of(header.model_id), (header.width, header.height)
    weights, levels = networks.weights, torch.tensor([header.quality], device=networks.device)
    layout, streams = from_container(container, weights.model.row.entropy)
    area = layout.whole if options.crop is None else crop_box(options.crop, layout.whole)
    check_payload_sizes(weights.model.entropy, weights.tables, streams, levels, layout)
    regions = unpack_roi(container.roi, size) if container.roi else None
    alpha = alpha_of(container.extras, size, area.corners)
    extras = {} if options.strip else container.extras
    return ParsedFile(header, networks, layout, streams, area, regions, alpha, extras)


def _bytes(data: object) -> bytes:
    """The bytes of a buffer. `bytes` alone would take a path or a number too."""
    try:
        return bytes(memoryview(data))  # type: ignore[arg-type]
    except TypeError as error:
        raise UsageError(
            f"decoding takes the bytes of a file, not {type(data).__name__}: give Path(name).read_bytes()"
        ) from error
