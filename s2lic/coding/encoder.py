"""The encoder: a picture to a file at one quality."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from PIL import Image
from torch import Tensor

from s2lic.coding.conditioning import condition_of
from s2lic.coding.networks import Networks, pad, to_tensor
from s2lic.coding.options import EncodeOptions
from s2lic.coding.roi import Roi, roi_of, step_divisor, step_exponents
from s2lic.coding.search import LatentSearch, TileView, border_weight, distortion_weight, search_problem
from s2lic.coding.streams import latent_size, to_container
from s2lic.coding.tiling import encoder_input
from s2lic.container.boxes import pack
from s2lic.container.tiles import Cell, Layout, layout_of
from s2lic.defaults import DEFAULT_MAX_PIXELS, SIDE
from s2lic.entropy.latent_size import LatentSize
from s2lic.entropy.rounding import QuantTarget
from s2lic.entropy.symbol_coder import SymbolStream
from s2lic.images.extras import split_extras
from s2lic.images.load import ImageLike, as_image
from s2lic.runtime import ProgressCallback, no_progress, with_progress, worker_pool
from s2lic.transform.config import STRIDE


@dataclass(frozen=True)
class PreparedPicture:
    """A picture that is ready to be coded.

    Attributes:
        image: The picture without alpha, RGB or L.
        extras: The boxes of its alpha and metadata, by name.
        layout: One stream or tiles.
        rounds: The number of rounds of the search.
        regions: The map of regions, unless it is neutral.
        condition: The condition of g_a, (1, numbers), or None.
    """

    image: Image.Image
    extras: Mapping[str, bytes]
    layout: Layout
    rounds: int = 0
    regions: Roi | None = None
    condition: Tensor | None = None

    @property
    def latent_size(self) -> LatentSize | None:
        """The size of y, if the picture is one stream."""
        return latent_size(self.layout.whole) if self.layout.rows * self.layout.columns == 1 else None

    @property
    def roi_box(self) -> bytes:
        """The content of the box of regions. Empty without regions."""
        return b"" if self.regions is None else self.regions.pack()

    def step_exponents(self, cell: Cell) -> Tensor | None:
        """Integers n (1, h, w) of a tile, whose steps are divided by 2^(n / 4), or None."""
        return step_exponents(self.regions, [self.layout.tile(*cell)])


@dataclass(frozen=True)
class Encoder:
    """Encodes pictures with one set of networks.

    Attributes:
        networks: The networks.
        max_pixels: The limit on pictures, or None.
        tile: The side of the tiles of a large picture.
        jobs: The number of tiles to work on at once.
        done: Called after each tile, or after each round of the search of a picture in one stream.
    """

    networks: Networks
    max_pixels: int | None = DEFAULT_MAX_PIXELS
    tile: int = SIDE
    jobs: int = 1
    done: ProgressCallback = no_progress

    def encode(self, image: ImageLike, options: EncodeOptions) -> bytes:
        """The file of a picture at the quality of the options. Raises as `prepare` does."""
        return self.encode_at(self.prepare(image, options), options.quality_level)

    def prepare(self, image: ImageLike, options: EncodeOptions) -> PreparedPicture:
        """The picture and its options, ready to be coded.

        Raises:
            ImageError: The picture cannot be read or coded, or is refused by `strict`.
            ConditionError: The numbers do not fit the model.
        """
        picture, extras = split_extras(as_image(image, self.max_pixels, options.strict), options.strip)
        regions = None if options.roi is None else roi_of(as_image(options.roi, self.max_pixels), picture.size)
        layout = layout_of(picture.width, picture.height, self.tile)
        return PreparedPicture(
            picture,
            extras,
            layout,
            rounds=options.rounds(layout, self.networks.weights.model.row.tune),
            regions=None if regions is None or regions.neutral else regions,
            condition=condition_of(self.networks, options.cond),
        )

    def encode_at(self, picture: PreparedPicture, quality_level: int) -> bytes:
        """The file of a prepared picture at a quality level 0..10000."""
        streams = self.encode_tiles(picture, lambda cell: self._encode_tile(picture, cell, quality_level))
        return self.write(picture, quality_level, streams)

    def encode_tiles(self, picture: PreparedPicture, encode_tile: Callable[[Cell], SymbolStream]) -> list[SymbolStream]:
        """The streams of all tiles in the order of the file. Several are encoded at once."""
        cells = list(picture.layout.cells())
        with worker_pool(self.jobs, len(cells)) as pool:
            return list(with_progress(pool.map(encode_tile, cells), len(cells), self.done))

    def _encode_tile(self, picture: PreparedPicture, cell: Cell, quality_level: int) -> SymbolStream:
        view = self.analyse_tile(picture, cell, quality_level)
        target = self.search_tile(picture, cell, view, quality_level) if picture.rounds else None
        return self.encode_view(picture, cell, view, quality_level, target)[0]

    def analyse_tile(self, picture: PreparedPicture, cell: Cell, quality_level: int) -> TileView:
        """A tile with its context, and y of both."""
        tile, seen = picture.layout.tile(*cell), encoder_input(picture.layout, cell)
        x = to_tensor(picture.image.crop(seen.corners)).to(self.networks.device)
        size, top, left = latent_size(tile), (tile.top - seen.top) // STRIDE, (tile.left - seen.left) // STRIDE
        inside = slice(top, top + size.height), slice(left, left + size.width)
        level = self.networks.condition_level(quality_level)
        return TileView(x, self.networks.analyse(pad(x), level, picture.condition), inside)

    def search_tile(self, picture: PreparedPicture, cell: Cell, view: TileView, quality_level: int) -> QuantTarget:
        """The result of the search for a tile."""
        tile, seen = picture.layout.tile(*cell), encoder_input(picture.layout, cell)
        levels = torch.tensor([quality_level], device=self.networks.device)
        weight = distortion_weight(levels, step_divisor(picture.regions, [seen]), view.x)
        weight = weight * border_weight(tile, seen, picture.layout.whole).to(weight)
        synthesise = partial(self.networks.synthesise_float, level=quality_level)
        tune = self.networks.weights.model.row.tune
        problem = search_problem(tune, view, synthesise, weight, quality_level)
        coder = self.networks.weights.coder
        done = self.done if picture.latent_size is not None else no_progress  # else it hears of tiles
        return LatentSearch(problem, coder, levels, picture.step_exponents(cell)).run(picture.rounds, done)

    def encode_view(
        self, picture: PreparedPicture, cell: Cell, view: TileView, quality_level: int, target: QuantTarget | None
    ) -> tuple[SymbolStream, Tensor]:
        """The stream of a tile, and the y_hat of the decoder, (1, M, h, w) float64."""
        step_exponent = picture.step_exponents(cell)
        (stream,), y_hat = self.networks.encode_latent(view.tile(), quality_level, step_exponent, target)
        return stream, y_hat

    def write(self, picture: PreparedPicture, quality_level: int, streams: list[SymbolStream]) -> bytes:
        """The file of these streams, one per tile."""
        model_id, grey = self.networks.weights.model_id, picture.image.mode == "L"
        container = to_container(picture.layout, streams, model_id, quality_level, grey)
        return pack(replace(container, extras=picture.extras, roi=picture.roi_box))
