"""One picture at one quality after another: as a file, measured, or only a sample of it."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from s2lic.coding.networks import Networks, pad, to_image, to_tensor
from s2lic.coding.rate_control import Kind, Trial
from s2lic.coding.rate_estimate import Samples
from s2lic.coding.roi import Roi, fineness, finer_steps
from s2lic.coding.search import Scene, Search, View, beside_borders, worth
from s2lic.coding.streams import gather, latent_size
from s2lic.coding.tiling import windows
from s2lic.container.boxes import pack
from s2lic.container.tiles import HALO, Box, Cell, layout_of
from s2lic.defaults import SIDE, rounds
from s2lic.entropy.latent_coder import LatentSize, Rehearsal
from s2lic.entropy.rounding import Aim
from s2lic.entropy.symbol_coder import Coded
from s2lic.progress import ProgressCallback, no_progress, with_progress
from s2lic.runtime import worker_pool
from s2lic.transform.config import STRIDE

HEADER_BYTES = 35
# By how much a search usually lowers what is aimed at: it spends fewer bits, and keeps less for them.
LOWERED = {Kind.rate: 0.06, Kind.psnr: 0.17}
# A search takes longer than all else, so that two have to do for a target. What one found serves other levels too, if
# not as well: 100 above its own it costs 1 % more bits and error. Its symbols change faster with the level than others.
SEARCHES, NEAR, STEEPER = 2, 30, 2.0
# What g_a saw and gave, some 20 bytes a pixel, is kept from trial to trial for pictures of no more pixels than these.
KEPT_PIXELS = 2**22


class Trials:
    """With a `kind` of target more trials may follow: g_a, which does not see the quality, runs once if y can be kept.

    Where a block of g_a is conditioned on the quality it runs at every level that is tried.
    """

    def __init__(
        self,
        networks: Networks,
        picture: Image.Image,
        extras: Mapping[str, bytes],
        regions: Roi | None = None,
        kind: Kind | None = None,
        effort: int | None = 0,
        beside: Tensor | None = None,
        tile: int = SIDE,
        jobs: int = 1,
        done: ProgressCallback = no_progress,
    ) -> None:
        self._networks, self._picture, self._extras, self._beside = networks, picture, extras, beside
        self._jobs, self._done = jobs, done
        self._regions = None if regions is None or regions.neutral else regions
        self._roi = b"" if self._regions is None else self._regions.pack()
        self._fixed_bits = 8 * (len(self._roi) + sum(map(len, extras.values())) + HEADER_BYTES)
        self._layout = layout_of(picture.width, picture.height, tile)
        self.effort = rounds(effort, tiled=self.size is None)
        self.keeps = kind is not None and picture.width * picture.height <= KEPT_PIXELS
        self._kept: dict[Cell, tuple[int, View]] = {}
        self._aims: dict[int, dict[Cell, Aim]] = {}
        self._choosing = threading.Lock()  # several tiles are in hand at once
        self._samples = Samples(networks, picture, self._regions, beside, kind or Kind.rate)

    @property
    def size(self) -> LatentSize | None:
        """That of y, if the picture is one stream."""
        return latent_size(self._layout.whole) if self._layout.rows * self._layout.columns == 1 else None

    @property
    def most(self) -> int:
        """How many files may be made for a target: most that follow a search cost little beside it."""
        if not self.keeps:
            return 2
        return 5 if self.effort else 3

    def x(self) -> Tensor:
        """The whole picture, (1, 3, H, W), as g_a takes it."""
        return pad(to_tensor(self._picture).to(self._networks.device))

    def plain(self, level: int) -> bytes:
        """The file at a level 0..10000."""
        cells = list(self._layout.cells())
        with worker_pool(self._jobs, len(cells)) as pool:
            coded = pool.map(lambda cell: self._code(cell, level)[0], cells)
            return self.file(level, list(with_progress(coded, len(cells), self._done)))

    def rate(self, level: int) -> Trial:
        """The file, and the logarithm of its bits a pixel."""
        data = self.plain(level)
        return self._trial(data, math.log(8 * len(data) / self._pixels))

    def psnr(self, level: int) -> Trial:
        """The file, and the PSNR of what it will be decoded to."""
        coded: dict[Cell, Coded] = {}
        error = 0.0

        def latent(cell: Cell) -> Tensor:
            coded[cell], y_hat = self._code(cell, level)
            return y_hat.float()

        synthesise = partial(self._networks.synthesise, level=level)
        for window, pixels in windows(self._layout, self._layout.whole, latent, synthesise, self._jobs, self._done):
            error += self._squared_error(window, pixels)
        return self._trial(self.file(level, [coded[cell] for cell in self._layout.cells()]), self._decibels(error))

    def _trial(self, data: bytes, value: float) -> Trial:
        steeper = STEEPER if len(self._aims) == SEARCHES and self._found_any() else 1.0
        return Trial(data, value, line=len(self._aims), steeper=steeper)

    def _found_any(self) -> bool:
        """Whether the last search found more than g_a's own y anywhere."""
        return any(aim.searched for aim in self._aims[next(reversed(self._aims))].values())

    @property
    def _pixels(self) -> int:
        return self._layout.width * self._layout.height

    def _decibels(self, error: float) -> float:
        return decibels(error / (self._pixels * len(self._picture.getbands())))

    def sample_rate(self, level: int) -> float:
        """About the logarithm of bits a pixel."""
        bits = float(self._rehearsed(level).bits.sum()) if self._rehearses else self._samples.bits(level)
        return math.log((self._fixed_bits + bits * math.exp(-self._lowered(Kind.rate))) / self._pixels)

    def sample_psnr(self, level: int) -> float:
        """About the PSNR."""
        value = self._rehearsed_psnr(level) if self._rehearses else decibels(self._samples.error(level))
        return value - self._lowered(Kind.psnr)

    @property
    def _rehearses(self) -> bool:
        """Whether the whole is rehearsed, which takes little time beside a search; else blocks of it are coded."""
        return self.effort > 0 and self.size is not None

    def _lowered(self, kind: Kind) -> float:
        return LOWERED[kind] if self.effort else 0.0

    def _rehearsed_psnr(self, level: int) -> float:
        whole, y_hat = self._layout.whole, self._rehearsed(level).y_hat
        pixels = self._networks.synthesise(y_hat, level)[0, :, : whole.height, : whole.width]
        return self._decibels(self._squared_error(whole, pixels))

    def _code(self, cell: Cell, level: int) -> tuple[Coded, Tensor]:
        view, tile = self._view(cell, level), self._layout.tile(*cell)
        aim = self._aim(cell, view, level) if self.effort else None
        (coded,), y_hat = self._networks.code(view.tile(), level, finer_steps(self._regions, [tile]), aim)
        return coded, y_hat

    def _aim(self, cell: Cell, view: View, level: int) -> Aim:
        """What a search finds for the level, or what the last one found if that has to do."""
        tile = self._layout.tile(*cell)
        if not self.keeps:
            return self._search(view, tile, level)
        with self._choosing:
            if self._wants_search(level):
                self._aims.setdefault(level, {})
            found = self._aims[next(reversed(self._aims))]
        if cell not in found:
            aim = self._search(view, tile, level)
            with self._choosing:
                found[cell] = aim
        return found[cell]

    def _wants_search(self, level: int) -> bool:
        if not self._aims:
            return True
        far = all(abs(level - known) > NEAR for known in self._aims)
        return far and len(self._aims) < SEARCHES and self._found_any()

    def _rehearsed(self, level: int) -> Rehearsal:
        """What the whole picture, one stream, would give without a search."""
        y, finer = self._view((0, 0), level).tile(), finer_steps(self._regions, [self._layout.whole])
        return self._networks.weights.coder.rehearse(y, self._levels(level), Aim(y), finer)

    def _view(self, cell: Cell, level: int) -> View:
        told = self._networks.told(level)
        if cell in self._kept and self._kept[cell][0] == told:
            return self._kept[cell][1]
        view = self._looked(cell, told)
        if self.keeps:
            self._kept[cell] = told, view
        return view

    def _looked(self, cell: Cell, told: int) -> View:
        """One tile with `HALO` pixels around it, and y of all that."""
        tile = self._layout.tile(*cell)
        seen = tile.grown(HALO, self._layout.whole)
        x = to_tensor(self._picture.crop(seen.corners)).to(self._networks.device)
        size, top, left = latent_size(tile), (tile.top - seen.top) // STRIDE, (tile.left - seen.left) // STRIDE
        inside = slice(top, top + size.height), slice(left, left + size.width)
        return View(x, self._networks.analyse(pad(x), told, self._beside), inside)

    def _levels(self, level: int) -> Tensor:
        return torch.tensor([level], device=self._networks.device)

    def _search(self, view: View, tile: Box, level: int) -> Aim:
        levels, whole = self._levels(level), self._layout.whole
        seen = tile.grown(HALO, whole)
        weight = worth(levels, fineness(self._regions, [seen]), view.x)
        weight = weight * beside_borders(tile, seen, whole).to(weight)
        scene = Scene(view, partial(self._networks.restore, level=level), weight)
        finer = finer_steps(self._regions, [tile])
        return Search(scene, self._networks.weights.coder, levels, finer).run(self.effort)

    def file(self, level: int, coded: list[Coded]) -> bytes:
        """The file of these streams, one a tile."""
        grey = self._picture.mode == "L"
        container = gather(self._layout, coded, self._networks.weights.model_id, level, grey)
        return pack(replace(container, extras=self._extras, roi=self._roi))

    def _squared_error(self, window: Box, pixels: Tensor) -> float:
        back = np.asarray(to_image(pixels, self._picture.mode == "L"), np.float32)
        original = np.asarray(self._picture.crop(window.corners), np.float32)
        return float(np.square(back - original).sum(dtype=np.float64))


def decibels(error: float) -> float:
    """PSNR of a mean squared error; a perfect picture is given an error far below one level."""
    return 10 * math.log10(255**2 / max(error, 1e-6))
