"""One picture at one quality after another: as a file, measured, or only a sample of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from s2lic.bitstream import pack
from s2lic.effort import rounds
from s2lic.entropy.coder import Coded
from s2lic.entropy.coding import LatentSize, encode_and_decode
from s2lic.entropy.rehearsal import Rehearsal, rehearse
from s2lic.entropy.rounding import Aim
from s2lic.parts import fineness, gather, latent_size
from s2lic.pixels import pad, to_image, to_tensor
from s2lic.rate_control import Kind, Trial
from s2lic.roi import Roi
from s2lic.seams import beside_borders
from s2lic.search import Scene, Search, View, worth
from s2lic.strips import crew, windows
from s2lic.tiles import HALO, Box, Cell, layout_of

if TYPE_CHECKING:
    from s2lic.codec import Codec

# Blocks of this side, spread evenly, take within a tenth of the bits that the whole picture does a pixel, and twice
# its time.
BLOCK = 64
# Errors differ more from block to block than bits do.
SHARES = {Kind.rate: 1 / 10, Kind.psnr: 1 / 6}
BLOCKS_MIN, BLOCKS_MAX = 6, 256
RIM = 8
STATE_BITS = 32  # what a stream of its own costs a block
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
        codec: Codec,
        picture: Image.Image,
        extras: Mapping[str, bytes],
        regions: Roi | None = None,
        kind: Kind | None = None,
        effort: int | None = 0,
        beside: Tensor | None = None,
    ) -> None:
        self._codec, self._picture, self._extras, self._beside = codec, picture, extras, beside
        self._regions = None if regions is None or regions.neutral else regions
        self._roi = b"" if self._regions is None else self._regions.pack()
        self._fixed_bits = 8 * (len(self._roi) + sum(map(len, extras.values())) + HEADER_BYTES)
        self._layout = layout_of(picture.width, picture.height, codec.tile)
        self.effort = rounds(effort, tiled=self.size is None)
        self.keeps = kind is not None and picture.width * picture.height <= KEPT_PIXELS
        self._kept: dict[Cell, tuple[int, View]] = {}
        self._aims: dict[int, dict[Cell, Aim]] = {}
        self._sampled = blocks(picture.width, picture.height, SHARES[kind or Kind.rate])
        self._blocks: tuple[int, Tensor, Tensor] | None = None

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
        return pad(to_tensor(self._picture).to(self._codec.device))

    def plain(self, level: int) -> bytes:
        """The file at a level 0..10000."""
        cells = list(self._layout.cells())
        with crew(self._codec.jobs, len(cells)) as team:
            return self.file(level, list(team.map(lambda cell: self._code(cell, level)[0], cells)))

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

        synthesise = partial(self._codec.synthesise, self._codec.weights, level=level)
        for window, pixels in windows(self._layout, self._layout.whole, latent, synthesise, self._codec.jobs):
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
        bits = self._rehearsed(level).bits if self._rehearses else self._sampled_bits(level)
        return math.log((self._fixed_bits + bits * math.exp(-self._lowered(Kind.rate))) / self._pixels)

    def sample_psnr(self, level: int) -> float:
        """About the PSNR."""
        value = self._rehearsed_psnr(level) if self._rehearses else self._sampled_psnr(level)
        return value - self._lowered(Kind.psnr)

    @property
    def _rehearses(self) -> bool:
        """Whether the whole is rehearsed, which takes little time beside a search; else blocks of it are coded."""
        return self.effort > 0 and self.size is not None

    def _lowered(self, kind: Kind) -> float:
        return LOWERED[kind] if self.effort else 0.0

    def _sampled_bits(self, level: int) -> float:
        _, y = self._sample(level)
        coded, _ = self._code_latent(y, level, self._sampled)
        bits = sum(8 * len(block.payload) - STATE_BITS for block in coded)
        return bits * self._pixels / (len(coded) * BLOCK**2)

    def _rehearsed_psnr(self, level: int) -> float:
        whole, y_hat = self._layout.whole, self._rehearsed(level).y_hat
        pixels = self._codec.synthesise(self._codec.weights, y_hat, level)[0, :, : whole.height, : whole.width]
        return self._decibels(self._squared_error(whole, pixels))

    def _sampled_psnr(self, level: int) -> float:
        """By the middle of each block."""
        x, y = self._sample(level)
        _, y_hat = self._code_latent(y, level, self._sampled)
        back = self._codec.synthesise(self._codec.weights, y_hat, level)
        middle = slice(RIM, BLOCK - RIM)
        difference = back[:, :, middle, middle].float() - 255 * x[:, :, middle, middle]
        return decibels(float(difference.square().mean()))

    def _told(self, level: int) -> int:
        """What g_a is told of the level: equal for all of them, unless it is conditioned."""
        return level if self._codec.weights.model.conditioned else 0

    def _sample(self, level: int) -> tuple[Tensor, Tensor]:
        """Blocks of the picture and their y, as if each were a picture."""
        told = self._told(level)
        if self._blocks is None or self._blocks[0] != told:
            x = torch.cat([to_tensor(self._picture.crop(box.corners)) for box in self._sampled]).to(self._codec.device)
            self._blocks = told, x, self._codec.analyse(self._codec.weights, x, told, self._beside)
        return self._blocks[1:]

    def _code(self, cell: Cell, level: int) -> tuple[Coded, Tensor]:
        view, tile = self._view(cell, level), self._layout.tile(*cell)
        aim = self._aim(cell, view, level) if self.effort else None
        (coded,), y_hat = self._code_latent(view.tile(), level, [tile], aim)
        return coded, y_hat

    def _aim(self, cell: Cell, view: View, level: int) -> Aim:
        """What a search finds for the level, or what the last one found if that has to do."""
        tile = self._layout.tile(*cell)
        if not self.keeps:
            return self._search(view, tile, level)
        if self._wants_search(level):
            self._aims.setdefault(level, {})
        found = self._aims[next(reversed(self._aims))]
        if cell not in found:
            found[cell] = self._search(view, tile, level)
        return found[cell]

    def _wants_search(self, level: int) -> bool:
        if not self._aims:
            return True
        far = all(abs(level - known) > NEAR for known in self._aims)
        return far and len(self._aims) < SEARCHES and self._found_any()

    def _rehearsed(self, level: int) -> Rehearsal:
        """What the whole picture, one stream, would give without a search."""
        weights, levels = self._codec.weights, torch.tensor([level], device=self._codec.device)
        view, tile = self._view((0, 0), level), self._layout.whole
        return rehearse(weights.quick_entropy, view.tile(), levels, Aim(view.tile()), fineness(self._regions, [tile]))

    def _view(self, cell: Cell, level: int) -> View:
        told = self._told(level)
        if cell in self._kept and self._kept[cell][0] == told:
            return self._kept[cell][1]
        view = self._codec.view(self._picture, self._layout, cell, told, self._beside)
        if self.keeps:
            self._kept[cell] = told, view
        return view

    def _search(self, view: View, tile: Box, level: int) -> Aim:
        weights, levels = self._codec.weights, torch.tensor([level], device=self._codec.device)
        whole = self._layout.whole
        seen = tile.grown(HALO, whole)
        weight = worth(levels, fineness(self._regions, [seen]), view.x)
        weight = weight * beside_borders(tile, seen, whole).to(weight)
        scene = Scene(view, partial(self._codec.restore, weights, level=level), weight)
        return Search(scene, weights.quick_entropy, levels, fineness(self._regions, [tile])).run(self.effort)

    def _code_latent(
        self, y: Tensor, level: int, boxes: list[Box], aim: Aim | None = None
    ) -> tuple[list[Coded], Tensor]:
        weights, levels = self._codec.weights, torch.full((len(y),), level, device=self._codec.device)
        finer = fineness(self._regions, boxes)
        return encode_and_decode(weights.model.entropy, weights.tables, y, levels, fineness=finer, aim=aim)

    def file(self, level: int, coded: list[Coded]) -> bytes:
        """The file of these streams, one a tile."""
        grey = self._picture.mode == "L"
        container = gather(self._layout, coded, self._codec.weights.model_id, level, grey)
        return pack(replace(container, extras=self._extras, roi=self._roi))

    def _squared_error(self, window: Box, pixels: Tensor) -> float:
        back = np.asarray(to_image(pixels, self._picture.mode == "L"), np.float32)
        original = np.asarray(self._picture.crop(window.corners), np.float32)
        return float(np.square(back - original).sum(dtype=np.float64))


def decibels(error: float) -> float:
    """PSNR of a mean squared error; a perfect picture is given an error far below one level."""
    return 10 * math.log10(255**2 / max(error, 1e-6))


def blocks(width: int, height: int, share: float) -> list[Box]:
    """About so much of the picture, evenly spread; a small picture repeats its edge."""
    wanted = min(max(width * height * share / BLOCK**2, BLOCKS_MIN), BLOCKS_MAX)
    columns = min(max(round(math.sqrt(wanted * width / height)), 1), max(width // BLOCK, 1), BLOCKS_MAX)
    rows = min(max(round(wanted / columns), 1), max(height // BLOCK, 1))
    lefts, tops = _spread(width, columns), _spread(height, rows)
    return [Box(left, top, left + BLOCK, top + BLOCK) for top in tops for left in lefts]


def _spread(size: int, count: int) -> list[int]:
    return [max(round((i + 0.5) * size / count - BLOCK / 2), 0) for i in range(count)]
