"""A file whose claims have been checked: its streams, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from PIL import Image
from torch import Tensor

from s2lic.coding.networks import Networks, to_image
from s2lic.coding.roi import Roi, finer_steps
from s2lic.coding.streams import GREY, latent_size
from s2lic.coding.tiling import windows
from s2lic.container.boxes import Header
from s2lic.container.tiles import Box, Cell, Layout
from s2lic.entropy.latent_coder import LatentSize
from s2lic.entropy.symbol_coder import Coded
from s2lic.images.extras import join_extras
from s2lic.progress import ProgressCallback, no_progress


@dataclass(frozen=True)
class Opened:
    """The parts of a file, with a stream for each tile of `layout` in its order; `area` is what is wanted of it."""

    header: Header
    networks: Networks
    levels: Tensor
    layout: Layout
    coded: list[Coded]
    area: Box
    regions: Roi | None
    alpha: Image.Image | None
    extras: Mapping[str, bytes]

    @property
    def size(self) -> LatentSize | None:
        """That of the only stream, if it is one, with steps that are the same everywhere."""
        return latent_size(self.layout.whole) if len(self.coded) == 1 and self.regions is None else None

    def latent(self, cell: Cell) -> Tensor:
        """y_hat of one tile, (1, M, h, w) float32. Raises a BitstreamError."""
        tile, stream = self.layout.tile(*cell), self.coded[cell[0] * self.layout.columns + cell[1]]
        finer = finer_steps(self.regions, [tile])
        return self.networks.weights.coder.decode([stream], self.levels, latent_size(tile), finer)

    def painted(self, jobs: int = 1, done: ProgressCallback = no_progress) -> Image.Image:
        """The picture. Raises a BitstreamError."""
        return self.picture(self.latent, partial(self.networks.synthesise, level=self.header.quality), jobs, done)

    def picture(
        self,
        latent: Callable[[Cell], Tensor],
        synthesise: Callable[[Tensor], Tensor],
        jobs: int = 1,
        done: ProgressCallback = no_progress,
    ) -> Image.Image:
        """The picture, given y_hat of tiles and what makes pixels of them, with its alpha and metadata."""
        area, grey = self.area, self.header.colour == GREY
        picture = Image.new("L" if grey else "RGB", (area.width, area.height))
        for window, pixels in windows(self.layout, area, latent, synthesise, jobs, done):
            picture.paste(to_image(pixels, grey), (window.left - area.left, window.top - area.top))
        return join_extras(picture, self.alpha, self.extras)
