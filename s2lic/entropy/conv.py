"""Convolutions that keep the size of a map, fast in float64 too, for which libraries have no kernels of their own.

Large maps take fewer products: Winograd's F(4x4, 3x3) and F(4x4, 5x5) (Lavin and Gray 2016, section 4).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

STEP = 4  # places a side that a tile gives
# Where polynomials are evaluated, one place at infinity beside. In float64 they cost three of its sixteen digits.
POINTS = {3: (0, 1, -1, 2, -2), 5: (0, 1, -1, 2, -2, 0.5, -0.5)}


def winograd(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x (B, C, H, W) with zeros around it, weight (D, C, k, k) of a k in POINTS, bias (D,) -> (B, D, H, W), on a CPU.

    Tiles of side k + 3 become as many maps as they have places, the convolution a product of matrices on each map.
    """
    (dim, channels, kernel), (height, width) = weight.shape[:3], x.shape[2:]
    of_input, of_kernel, of_output = (matrix.to(x.dtype) for matrix in transforms(kernel))
    side, reach, rows, cols = STEP + kernel - 1, kernel // 2, -(-height // STEP), -(-width // STEP)
    padded = F.pad(x, (reach, STEP * cols - width + reach, reach, STEP * rows - height + reach))
    tiles = padded.unfold(2, side, STEP).unfold(3, side, STEP).permute(4, 5, 1, 0, 2, 3)
    maps = (of_input @ tiles.reshape(side * side, -1)).view(side * side, channels, -1)
    kernels = (of_kernel @ weight.permute(2, 3, 0, 1).reshape(kernel * kernel, -1)).view(-1, dim, channels)
    given = (of_output @ (kernels @ maps).view(side * side, -1)).view(STEP, STEP, dim, len(x), rows, cols)
    whole = given.permute(3, 2, 4, 0, 5, 1).reshape(len(x), dim, STEP * rows, STEP * cols)
    return whole[:, :, :height, :width] + bias[:, None, None]


@cache
@torch.inference_mode(False)
def transforms(kernel: int) -> tuple[Tensor, Tensor, Tensor]:
    """B^T, G and A^T over both axes, float64: of a tile, of a kernel of that side, and back from products.

    The transpose of Toom's and Cook's product of two polynomials, whose values at the points are multiplied.
    """
    points = np.array(POINTS[kernel], np.float64)
    one = (lagrange(points), powers(points, kernel), powers(points, STEP).T)
    return tuple(torch.from_numpy(np.kron(m, m)) for m in one)  # type: ignore[return-value]


def powers(points: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """What a polynomial of so many coefficients is at each point and, last, at infinity: its leading one."""
    return np.vstack([np.vander(points, count, increasing=True), np.eye(count)[-1:]])


def lagrange(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `powers` with one coefficient a point and one for infinity, transposed."""
    others = [np.delete(points, at) for at in range(len(points))]
    rows = [np.append(np.poly(rest)[::-1] / np.prod(p - rest), 0) for p, rest in zip(points, others, strict=True)]
    return np.vstack([*rows, np.poly(points)[::-1]])


# From how many places on, and products at each tap, a kernel's transforms cost less than they save.
PAYS = {3: (384, 2048), 5: (384, 512)}


class Conv(nn.Conv2d):
    """Stride 1, an odd kernel, zeros around the map: (B, C, H, W) -> (B, dim, H, W).

    `groups` is 1, or C for one kernel a channel.
    """

    def __init__(self, source: int, dim: int, kernel: int, groups: int = 1) -> None:
        super().__init__(source, dim, kernel, padding=kernel // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.float64 and x.device.type == "cpu":
            assert self.bias is not None
            return (winograd if self._pays(x) else summed)(x, self.weight, self.bias)
        return super().forward(x)

    def _pays(self, x: Tensor) -> bool:
        places, products = PAYS.get(self.kernel_size[0], (math.inf, math.inf))
        dim, channels = self.weight.shape[:2]
        return self.groups == 1 and x.shape[2] * x.shape[3] >= places and dim * channels >= products


def summed(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The same as a sum over the kernel's taps, each a product with the whole shifted map.

    A shift is a view of the padded map laid out flat, so that nothing is unfolded: torch's own way in float64
    copies the map once for each tap first.
    """
    (height, width), reach = x.shape[2:], weight.shape[-1] // 2
    wide = width + 2 * reach
    flat = F.pad(x.contiguous(), (reach, reach, reach, reach + 1)).flatten(2)
    out = bias[:, None].repeat(len(x), 1, 1).expand(-1, -1, height * wide).contiguous()
    for shift, tap in _taps(weight, wide):
        seen = flat[:, :, shift : shift + height * wide]
        if weight.shape[1] == 1:
            out.addcmul_(seen, tap)
        else:
            out.baddbmm_(tap.expand(len(x), -1, -1), seen)
    return out.unflatten(2, (height, wide))[..., :width]  # type: ignore[no-any-return]


def _taps(weight: Tensor, wide: int) -> Iterator[tuple[int, Tensor]]:
    """Where each tap reads in a map flattened to lines of `wide`, and its matrix (dim, C)."""
    size = weight.shape[-1]
    for tap, matrix in enumerate(weight.permute(2, 3, 0, 1).flatten(0, 1).contiguous()):
        yield tap // size * wide + tap % size, matrix
