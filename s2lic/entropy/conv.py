"""Convolutions that keep the size of a map, fast in float64 too, for which libraries have no kernels of their own."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2lic.entropy.winograd import winograd

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
