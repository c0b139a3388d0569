"""The bits of a picture per element of y and z, and their relevance per pixel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from s2lic.codec import Codec
from s2lic.coding.conditioning import condition_of
from s2lic.coding.networks import pad, to_tensor
from s2lic.defaults import SIDE
from s2lic.entropy.rounding import QuantTarget
from s2lic.entropy.tables import Tables
from s2lic.errors import ImageSizeError
from s2lic.eval.explain.lrp import Rules, relevance
from s2lic.transform.config import STRIDE

PIXELS_MAX = 2 * SIDE**2


@dataclass(frozen=True)
class Explained:
    """Bits of y (h, w) and z (h / 4, w / 4), summed over channels, and the relevance of each pixel (H, W) in bits."""

    y_bits: Tensor
    z_bits: Tensor
    pixels: Tensor

    @property
    def total(self) -> float:
        return float(self.y_bits.sum() + self.z_bits.sum())

    @property
    def kept(self) -> float:
        """The share of the bits that reaches the pixels. Biases, the stabiliser and padding absorb the rest.

        Biases can absorb a negative amount, or more than all, so the share may be outside 0 to 1 in flat pictures.
        """
        return float(self.pixels.sum()) / self.total


def explain(
    codec: Codec, picture: Image.Image, level: int, condition: ArrayLike | None = None, epsilon: float = 1e-2
) -> Explained:
    """Traces the bits of a picture through h_a and g_a back to its pixels.

    Args:
        codec: The codec that encodes the picture.
        picture: A picture of mode RGB or L.
        level: The quality level, 0 to 10000.
        condition: The numbers that a conditioned model reads.
        epsilon: The stabiliser of the epsilon rule, relative to the root mean square of a layer.

    Raises:
        ImageSizeError: The picture is so large that it would be encoded in tiles.
        ConditionError: The condition does not fit the model.
    """
    width, height = picture.size
    if width * height > PIXELS_MAX:
        raise ImageSizeError(f"{width} x {height} pixels are too many to explain; scale or crop to {PIXELS_MAX} pixels")
    net, rules = codec.weights.model.requires_grad_(False), Rules(epsilon)
    context = net.context(torch.tensor([level], device=codec.device), condition_of(codec.networks, condition))
    x = pad(to_tensor(picture).to(codec.device)) - 0.5
    with torch.no_grad():
        y = net.g_a(x, context)
    y_bits, z_bits = element_bits(codec, y, level)
    quality = net.entropy.quality(torch.tensor([level], device=codec.device))
    of_y = y_bits + relevance(lambda t: net.entropy.hyper_analysis(t, quality), y, lambda _: z_bits, rules)
    of_x = relevance(lambda t: net.g_a(t, context), x, lambda _: of_y, rules)
    return Explained(y_bits[0].sum(0), z_bits[0].sum(0), of_x[0].sum(0)[:height, :width])


@torch.no_grad()
def element_bits(codec: Codec, y: Tensor, level: int) -> tuple[Tensor, Tensor]:
    """Bits of each symbol: of y (1, M, h, w) by its Gaussian, of z by the tables."""
    coder, levels = codec.weights.coder, torch.tensor([level], device=y.device)
    z, anchor = coder.z_symbols(y, levels)[0], int(coder.model.quality(levels).nearest)
    z_bits = [_row_bits(coder.tables, anchor * len(z) + channel, symbols) for channel, symbols in enumerate(z)]
    return coder.estimate(y, levels, QuantTarget(y)).bits, torch.stack(z_bits)[None].to(y)


def _row_bits(tables: Tables, row: int, symbols: Tensor) -> Tensor:
    """-log2 of the probability of each symbol in a row of the tables. Symbols outside it cost as much as the last."""
    bounds = torch.tensor(tables.rows_as_lists[row])
    slots = symbols.long().cpu().clamp(int(tables.offsets[row]), int(tables.last[row])) - int(tables.offsets[row])
    return 16 - (bounds[slots + 1] - bounds[slots]).double().log2()


def spread(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Spreads values of y (h, w) evenly over their pixels, (height, width)."""
    height, width = size
    return (values / STRIDE**2).repeat_interleave(STRIDE, 0).repeat_interleave(STRIDE, 1)[:height, :width]
