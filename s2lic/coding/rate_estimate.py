"""What blocks of a picture, evenly spread, say about its bits and its error at a quality."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from s2lic.coding.networks import Networks, to_tensor
from s2lic.coding.rate_control import Kind
from s2lic.coding.roi import Roi, finer_steps
from s2lic.container.tiles import Box
from s2lic.entropy.symbol_coder import Coded

# Blocks of this side, spread evenly, take within a tenth of the bits that the whole picture does a pixel, and twice
# its time.
BLOCK = 64
# Errors differ more from block to block than bits do.
SHARES = {Kind.rate: 1 / 10, Kind.psnr: 1 / 6}
BLOCKS_MIN, BLOCKS_MAX = 6, 256
RIM = 8
STATE_BITS = 32  # what a stream of its own costs a block


class Samples:
    """Blocks of a picture, each coded as if it were a picture; enough of them for a kind of target."""

    def __init__(
        self, networks: Networks, picture: Image.Image, regions: Roi | None, beside: Tensor | None, kind: Kind
    ) -> None:
        self._networks, self._picture, self._regions, self._beside = networks, picture, regions, beside
        self._boxes = blocks(picture.width, picture.height, SHARES[kind])
        self._seen: tuple[int, Tensor, Tensor] | None = None

    def bits(self, level: int) -> float:
        """About the bits of the whole picture's streams."""
        coded, _ = self._coded(level)
        bits = sum(8 * len(block.payload) - STATE_BITS for block in coded)
        return bits * self._picture.width * self._picture.height / (len(coded) * BLOCK**2)

    def error(self, level: int) -> float:
        """About the mean squared error, in steps of 8 bits, by the middle of each block."""
        _, y_hat = self._coded(level)
        middle = slice(RIM, BLOCK - RIM)
        back, x = self._networks.synthesise(y_hat, level), self._analysed(level)[0]
        return float((back[:, :, middle, middle].float() - 255 * x[:, :, middle, middle]).square().mean())

    def _coded(self, level: int) -> tuple[list[Coded], Tensor]:
        return self._networks.code(self._analysed(level)[1], level, finer_steps(self._regions, self._boxes))

    def _analysed(self, level: int) -> tuple[Tensor, Tensor]:
        """The blocks and their y, made anew where g_a is told of another level."""
        told = self._networks.told(level)
        if self._seen is None or self._seen[0] != told:
            x = torch.cat([_cut(self._picture, box) for box in self._boxes]).to(self._networks.device)
            self._seen = told, x, self._networks.analyse(x, told, self._beside)
        return self._seen[1:]


def _cut(picture: Image.Image, box: Box) -> Tensor:
    """A block (1, 3, BLOCK, BLOCK), beyond the edge of the picture the edge again."""
    x = to_tensor(picture.crop(box.grown(0, Box(0, 0, *picture.size)).corners))
    return F.pad(x, (0, BLOCK - x.shape[3], 0, BLOCK - x.shape[2]), mode="replicate")


def blocks(width: int, height: int, share: float) -> list[Box]:
    """About so much of the picture, evenly spread; a small picture repeats its edge."""
    wanted = min(max(width * height * share / BLOCK**2, BLOCKS_MIN), BLOCKS_MAX)
    columns = min(max(round(math.sqrt(wanted * width / height)), 1), max(width // BLOCK, 1), BLOCKS_MAX)
    rows = min(max(round(wanted / columns), 1), max(height // BLOCK, 1))
    lefts, tops = _spread(width, columns), _spread(height, rows)
    return [Box(left, top, left + BLOCK, top + BLOCK) for top in tops for left in lefts]


def _spread(size: int, count: int) -> list[int]:
    return [max(round((i + 0.5) * size / count - BLOCK / 2), 0) for i in range(count)]
