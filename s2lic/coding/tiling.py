"""A walk over a picture's tiles: what each shares with those before it, and several in hand at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from s2lic.container.tiles import HALO, Box, Cell, Layout
from s2lic.progress import ProgressCallback, no_progress, with_progress
from s2lic.runtime import worker_pool
from s2lic.transform.config import STRIDE

REACH = 2 * HALO // STRIDE


def windows(
    layout: Layout,
    area: Box,
    latent: Callable[[Cell], Tensor],
    synthesise: Callable[[Tensor], Tensor],
    jobs: int,
    done: ProgressCallback = no_progress,
) -> Iterator[tuple[Box, Tensor]]:
    """The windows that hold `area`, each with its pixels (3, H, W); `done` hears of each.

    `latent` gives y_hat (1, M, h, w) of a tile, `synthesise` the pixels (1, 3, 16h, 16w) of any y_hat.
    """

    def paint(found: tuple[Cell, Tensor]) -> tuple[Box, Tensor]:
        cell, y_hat = found
        window, seen = layout.window(*cell), layout.seen(*cell)
        top, left = window.top - seen.top, window.left - seen.left
        pixels = synthesise(y_hat)[0, :, top : top + window.height, left : left + window.width]
        return window, pixels

    rows, columns = layout.windows_of(area)
    cells = layout.needed(rows, columns)
    with worker_pool(jobs, len(cells)) as pool:
        latents = pool.map(lambda cell: (cell, latent(cell)), cells)
        wanted = (found for found in joined(latents) if found[0][0] in rows and found[0][1] in columns)
        yield from with_progress(pool.map(paint, wanted), len(rows) * len(columns), done)


def joined(latents: Iterable[tuple[Cell, Tensor]]) -> Iterator[tuple[Cell, Tensor]]:
    """Each tile's latent (B, M, h, w) with the last `REACH` lines of the tiles above it and to its left.

    The tiles come row by row; of those that have gone by, only these lines are kept.
    """
    above: dict[int, Tensor] = {}
    left: tuple[Cell, Tensor] | None = None
    for (row, column), y in latents:
        wide = torch.cat([left[1], y], 3) if left is not None and left[0] == (row, column - 1) else y
        tall = torch.cat([above[column], wide], 2) if column in above else wide
        left = (row, column), y[:, :, :, -REACH:].clone()
        above[column] = wide[:, :, -REACH:].clone()
        yield (row, column), tall
