"""Estimates of rate and fidelity from blocks of an image."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from s2lic.coding.encoder import PreparedPicture
from s2lic.coding.fidelity import Fidelity
from s2lic.coding.networks import Networks, to_tensor
from s2lic.coding.roi import step_exponents
from s2lic.coding.targets import TargetKind
from s2lic.container.tiles import Box
from s2lic.entropy.symbol_coder import SymbolStream

# Evenly spread blocks of 64 pixels have the bits per pixel of the whole image within 10 %, at twice the time per pixel.
# These are the limits on the pixels in all blocks. A smaller image has fewer.
PIXELS_MIN, PIXELS_MAX = 6 * 64**2, 256 * 64**2
RIM = 8  # pixels at the edges of a block that do not count for the fidelity: they lack context
STATE_BITS = 32  # the overhead of a stream


class BlockEstimator:
    """Estimates from blocks of an image, each coded like an image of its own.

    Args:
        networks: The networks.
        picture: The image.
        kind: The kind of target. It sets the share of pixels to code and the side of the blocks.
    """

    def __init__(self, networks: Networks, picture: PreparedPicture, kind: TargetKind) -> None:
        self._networks, self._picture, self._block = networks, picture, kind.block
        self._boxes = blocks(picture.image.width, picture.image.height, kind.share, kind.block)
        self._analysed: tuple[int, Tensor, Tensor] | None = None

    def bits(self, quality_level: int) -> float:
        """Estimate the bits of all streams of the image."""
        streams, _ = self._encode(quality_level)
        bits, image = sum(8 * len(block.payload) - STATE_BITS for block in streams), self._picture.image
        return bits * image.width * image.height / (len(streams) * self._block**2)

    def fidelity(self, quality_level: int, measure: Fidelity) -> float:
        """Estimate the fidelity of the image from the middle of each block."""
        _, y_hat = self._encode(quality_level)
        middle = slice(RIM, self._block - RIM)
        decoded, x = self._networks.synthesise(y_hat, quality_level), self._analyse(quality_level)[0]
        original = (255 * x).round().to(torch.uint8)
        return measure(original[:, :, middle, middle], decoded[:, :, middle, middle])

    def _encode(self, quality_level: int) -> tuple[list[SymbolStream], Tensor]:
        step_exponent = step_exponents(self._picture.regions, self._boxes)
        return self._networks.encode_latent(self._analyse(quality_level)[1], quality_level, step_exponent)

    def _analyse(self, quality_level: int) -> tuple[Tensor, Tensor]:
        """The blocks and their y, computed again if g_a is conditioned on another level."""
        level = self._networks.condition_level(quality_level)
        if self._analysed is None or self._analysed[0] != level:
            x = torch.cat([_cut(self._picture.image, box, self._block) for box in self._boxes]).to(
                self._networks.device
            )
            self._analysed = level, x, self._networks.analyse(x, level, self._picture.condition)
        return self._analysed[1:]


def _cut(image: Image.Image, box: Box, side: int) -> Tensor:
    """A block (1, 3, side, side). The edge of the image is repeated beyond it."""
    x = to_tensor(image.crop(box.grown(0, Box(0, 0, *image.size)).corners))
    return F.pad(x, (0, side - x.shape[3], 0, side - x.shape[2]), mode="replicate")


def blocks(width: int, height: int, share: float, side: int) -> list[Box]:
    """Evenly spread boxes over about a share of the image. In a small image they extend beyond its edge."""
    wanted = min(max(width * height * share, PIXELS_MIN), PIXELS_MAX) / side**2
    columns = min(max(round(math.sqrt(wanted * width / height)), 1), max(width // side, 1), PIXELS_MAX // side**2)
    rows = min(max(round(wanted / columns), 1), max(height // side, 1))
    lefts, tops = _spread(width, columns, side), _spread(height, rows, side)
    return [Box(left, top, left + side, top + side) for top in tops for left in lefts]


def _spread(size: int, count: int, side: int) -> list[int]:
    return [max(round((i + 0.5) * size / count - side / 2), 0) for i in range(count)]
