"""The encoder without torch: g_a, h_a and one pass over the slices, without a search."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from s2lic.coding.options import EncodeOptions
from s2lic.coding.roi import Roi, roi_of
from s2lic.coding.streams import latent_size, to_container
from s2lic.coding.tiling import encoder_input
from s2lic.container.boxes import pack
from s2lic.container.tiles import Box, Layout, layout_of
from s2lic.defaults import DEFAULT_MAX_PIXELS, SIDE
from s2lic.entropy.config import Z_STRIDE
from s2lic.entropy.exact.limits import Y_ONE, Z_ONE
from s2lic.entropy.latent_size import LatentSize, z_rows
from s2lic.entropy.symbol_coder import SymbolStream, SymbolWriter
from s2lic.errors import UsageError
from s2lic.images.extras import split_extras
from s2lic.images.load import ImageLike, as_image
from s2lic.lite.domain import Floats
from s2lic.lite.networks import OnnxNetworks, between
from s2lic.lite.walk import Places
from s2lic.runtime import ProgressCallback, no_progress, with_progress, worker_pool
from s2lic.transform.config import STRIDE

# Levels of regions of interest per octave of the step.
STEPS_PER_OCTAVE = 4


@dataclass(frozen=True)
class OnnxEncoder:
    """Encodes images at effort 0. The fields are those of `s2lic.coding.encoder.Encoder`."""

    networks: OnnxNetworks
    max_pixels: int | None = DEFAULT_MAX_PIXELS
    tile: int = SIDE
    jobs: int = 1
    done: ProgressCallback = no_progress

    def encode(self, image: ImageLike, options: EncodeOptions) -> bytes:
        """Encode an image to a file. Raises UsageError for options that need torch, or the errors of `as_image`."""
        picture, extras = split_extras(as_image(image, self.max_pixels, options.strict), options.strip)
        layout = layout_of(picture.width, picture.height, self.tile)
        self._check(options)
        roi = None if options.roi is None else roi_of(as_image(options.roi, self.max_pixels), picture.size)
        roi = None if roi is None or roi.neutral else roi
        streams = self._streams(picture, layout, roi, options.quality_level)
        model_id, grey = self.networks.weights.model_id, picture.mode == "L"
        container = to_container(layout, streams, model_id, options.quality_level, grey)
        return pack(replace(container, extras=extras, roi=b"" if roi is None else roi.pack()))

    def _check(self, options: EncodeOptions) -> None:
        needs = [*options.targets, *(["cond"] if options.cond is not None else [])]
        if needs:
            raise UsageError(f"{needs[0]} needs torch: pip install 's2lic[torch]', or leave it out")
        if options.effort:
            raise UsageError(
                f"the search of effort {options.effort} needs torch: pip install 's2lic[torch]', or choose effort 0"
            )

    def _streams(self, picture: Image.Image, layout: Layout, roi: Roi | None, level: int) -> list[SymbolStream]:
        """The streams of all tiles, in file order."""
        cells = list(layout.cells())

        def encode(cell: tuple[int, int]) -> SymbolStream:
            tile, seen = layout.tile(*cell), encoder_input(layout, cell)
            step_exponent = None if roi is None else roi.step_exponent(tile)
            return self._coded(self._latent(picture, tile, seen), step_exponent, level)

        with worker_pool(self.jobs, len(cells)) as pool:
            return list(with_progress(pool.map(encode, cells), len(cells), self.done))

    def _latent(self, picture: Image.Image, tile: Box, seen: Box) -> Floats:
        """y (M, h, w) of a tile, from the part of the image that g_a reads."""
        pixels = np.asarray(picture.crop(seen.corners).convert("RGB")).transpose(2, 0, 1)
        x = _padded(pixels.astype(np.float32) / np.float32(255), STRIDE)
        (y,) = self.networks.sessions.run("g_a", x=x[None])
        size, top, left = latent_size(tile), (tile.top - seen.top) // STRIDE, (tile.left - seen.left) // STRIDE
        return np.ascontiguousarray(y[0, :, top : top + size.height, left : left + size.width])

    def _coded(self, y: Floats, step_exponent: NDArray[np.int64] | None, level: int) -> SymbolStream:
        """Code y (M, h, w) to a stream."""
        walk, (height, width) = self.networks.walk(level), y.shape[1:]
        writer = SymbolWriter(self.networks.tables)
        z = np.rint(self._z(y, level) - walk.z_centre() / Z_ONE).astype(np.int64)
        (rows,) = z_rows(self.networks.entropy_row, [level], LatentSize(height, width))
        writer.write_rows(z, rows)
        gained = (y * walk.domain.gain.astype(np.float32)[:, None, None]).reshape(len(y), -1)
        exponent = None if step_exponent is None else step_exponent.ravel().astype(np.float64)
        scale = None if exponent is None else np.exp2(exponent / STEPS_PER_OCTAVE).astype(np.float32)

        def quantise(mu: Floats, rows: NDArray[np.int32], first: int, at: Places) -> NDArray[np.int64]:
            residual = gained[first : first + len(mu), at] - mu / Y_ONE
            symbols: NDArray[np.int64] = np.rint(residual if scale is None else residual * scale[at]).astype(np.int64)
            writer.write_gaussian(symbols, rows)
            return symbols

        walk.run(z, (height, width), quantise, exponent)
        return writer.finish()

    def _z(self, y: Floats, level: int) -> Floats:
        """h_a: z (Z, h', w') before rounding."""
        table = self.networks.weights.parameters["entropy.h_a.modulate.table"].astype(np.float64)
        slope, offset = between(table, level).astype(np.float32)[:, None, :, None, None]
        (z,) = self.networks.sessions.run("h_a", y=_padded(y, Z_STRIDE)[None], slope=slope + 1, offset=offset)
        found: Floats = z[0]
        return found


def _padded(x: Floats, step: int) -> Floats:
    """Pad (C, H, W) to multiples of a step by repeating the right and bottom edges."""
    return np.pad(x, ((0, 0), (0, -x.shape[1] % step), (0, -x.shape[2] % step)), mode="edge")
