"""Tiles and the context around them, and decoding of an image in windows.

Each tile is coded on its own. To decode without seams, g_s also reads `HALO` pixels of the neighbouring tiles. Tiles
are decoded row by row. Each tile completes a window: a part of the image whose context is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from s2lic.container.tiles import Box, Cell, Layout
from s2lic.runtime import ProgressCallback, no_progress, with_progress, worker_pool
from s2lic.transform.config import STRIDE

# The context of g_a and g_s in pixels. Values further away have almost no influence.
HALO = 64
# Lines of y that a tile shares with the windows of the next ones.
SHARED = 2 * HALO // STRIDE

Latent = Any  # (B, M, h, w), a tensor of torch or an array of numpy
Pixels = Any  # (B, 3, H, W) uint8, likewise
Window = tuple[Box, Pixels]  # a part of an image and its pixels, (3, H, W)


def encoder_input(layout: Layout, cell: Cell) -> Box:
    """The input of g_a for a tile."""
    return layout.tile(*cell).grown(HALO, layout.whole)


def window(layout: Layout, cell: Cell) -> Box:
    """The pixels that this tile completes: `HALO` around them is within this tile and those above and to the left."""
    row, column = cell
    tile = layout.tile(row, column)
    return Box(
        max(tile.left - HALO, 0),
        max(tile.top - HALO, 0),
        tile.right - (HALO if column < layout.columns - 1 else 0),
        tile.bottom - (HALO if row < layout.rows - 1 else 0),
    )


def decoder_input(layout: Layout, cell: Cell) -> Box:
    """The input of g_s for a window: the tile and enough of earlier tiles for `HALO` pixels on each side."""
    tile = layout.tile(*cell)
    return Box(max(tile.left - 2 * HALO, 0), max(tile.top - 2 * HALO, 0), tile.right, tile.bottom)


def windows_over(layout: Layout, area: Box) -> tuple[range, range]:
    """The rows and columns of tiles whose windows cover an area."""
    rows = _indices(area.top, area.bottom, layout.tile_height, layout.rows)
    return rows, _indices(area.left, area.right, layout.tile_width, layout.columns)


def tiles_for(rows: range, columns: range) -> list[Cell]:
    """The tiles that g_s reads for the windows of these rows and columns."""
    return list(product(range(max(rows.start - 1, 0), rows.stop), range(max(columns.start - 1, 0), columns.stop)))


def _indices(start: int, stop: int, side: int, count: int) -> range:
    first, last = (min((pixel + HALO) // side, count - 1) for pixel in (start, stop - 1))
    return range(first, last + 1)


def decode_windows(
    layout: Layout,
    area: Box,
    latent: Callable[[Cell], Latent],
    synthesise: Callable[[Latent], Pixels],
    jobs: int,
    done: ProgressCallback = no_progress,
) -> Iterator[Window]:
    """The windows that cover an area, row by row.

    Args:
        layout: The tiles of the image.
        area: The part to decode.
        latent: Returns y_hat of a tile, (1, M, h, w).
        synthesise: Returns the pixels of any y_hat, (1, 3, 16h, 16w).
        jobs: The number of tiles to work on at once.
        done: Called after each window.
    """

    def decode(found: tuple[Cell, Latent]) -> Window:
        cell, y_hat = found
        box, seen = window(layout, cell), decoder_input(layout, cell)
        top, left = box.top - seen.top, box.left - seen.left
        return box, synthesise(y_hat)[0, :, top : top + box.height, left : left + box.width]

    rows, columns = windows_over(layout, area)
    cells = tiles_for(rows, columns)
    with worker_pool(jobs, len(cells)) as pool:
        latents = pool.map(lambda cell: (cell, latent(cell)), cells)
        wanted = (found for found in join_latents(latents) if found[0][0] in rows and found[0][1] in columns)
        yield from with_progress(pool.map(decode, wanted), len(rows) * len(columns), done)


def join_latents(latents: Iterable[tuple[Cell, Latent]]) -> Iterator[tuple[Cell, Latent]]:
    """The latent of each tile (B, M, h, w), extended by the last `SHARED` lines of the tiles above and to the left.

    The tiles come row by row. Only these lines of earlier tiles are kept.
    """
    above: dict[int, Latent] = {}
    left: tuple[Cell, Latent] | None = None
    for (row, column), y in latents:
        wide = _joined([left[1], y], 3) if left is not None and left[0] == (row, column - 1) else y
        tall = _joined([above[column], wide], 2) if column in above else wide
        left = (row, column), _joined([y[:, :, :, -SHARED:]], 3)
        above[column] = _joined([wide[:, :, -SHARED:]], 2)
        yield (row, column), tall


def _joined(parts: list[Latent], axis: int) -> Latent:
    """The concatenation of latents."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts, axis)
    import torch

    return torch.cat(parts, axis)


def paste_windows(windows: Iterable[Window], area: Box, grey: bool) -> Image.Image:
    """The image of an area, L or RGB, from the windows that cover it."""
    picture = Image.new("L" if grey else "RGB", (area.width, area.height))
    for box, pixels in windows:
        picture.paste(to_image(pixels, grey), (box.left - area.left, box.top - area.top))
    return picture


def to_image(pixels: Pixels, grey: bool) -> Image.Image:
    """An image from (3, H, W) uint8. Grey is Pillow's luma."""
    samples: NDArray[np.uint8] = pixels if isinstance(pixels, np.ndarray) else pixels.cpu().numpy()
    picture = Image.fromarray(np.ascontiguousarray(samples.transpose(1, 2, 0)))
    return picture.convert("L") if grey else picture
