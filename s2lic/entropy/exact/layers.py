"""Layers of the exact networks, from integers to integers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from s2lic.entropy.checkerboard import odd_taps
from s2lic.entropy.exact.fixed import interpolate, lookup, shifted, snap
from s2lic.entropy.exact.limits import NORM_ONE, PRE, SLOPE_ONE

Tensors = Mapping[str, Tensor]
# Devices whose convolutions are plain sums. On others a library may use Winograd's algorithm or an FFT.
LIBRARY = ("cpu",)


def scope(tensors: Tensors, name: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `name.`, without this prefix."""
    return {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(f"{name}.")}


def over_channels(x: Tensor, like: Tensor) -> Tensor:
    """Reshape (C,) or (B, C) so that it broadcasts over (B, C, ...)."""
    return x.reshape(-1, x.shape[-1], *[1] * (like.dim() - 2))


class ExactAffine:
    """An integer convolution or matrix. Sums are scaled by a power of two per channel and clamped to `limits`."""

    def __init__(self, tensors: Tensors, limits: tuple[int, int]) -> None:
        self.weight, bias = tensors["weight"], tensors["bias"]
        self.scale = torch.ldexp(torch.ones_like(bias), tensors["shift"])
        self.offset, self.limits = bias * self.scale, limits
        self.width = len(bias)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, O, H, W)."""
        if self.weight.dim() == 4 and self.weight.shape[-1] > 1:
            return self.rounded(convolve(x, self.weight))
        return self.rounded(self.sums([x.flatten(2)])).view(len(x), self.width, *x.shape[2:])

    def sums(self, parts: list[Tensor]) -> Tensor:
        """The sums of a 1x1 kernel before bias and scale: channels in parts, (B, C, P) each -> (B, O, P)."""
        first = parts[0].shape[1]
        return self.added(self._columns(0, parts[0]) @ parts[0], parts[1:], first)

    def added(self, sums: Tensor, parts: list[Tensor], first: int) -> Tensor:
        """Sums (B, O, P) plus those of further parts, whose channels begin at `first`."""
        for x in parts:
            sums, first = torch.baddbmm(sums, self._columns(first, x), x), first + x.shape[1]
        return sums

    def _columns(self, first: int, x: Tensor) -> Tensor:
        return self.weight.flatten(1)[:, first : first + x.shape[1]].expand(len(x), -1, -1)

    def doubled(self, x: Tensor) -> Tensor:
        """A transposed convolution, kernel 4, stride 2, weight (C, O, 4, 4): (B, C, H, W) -> (B, O, 2H, 2W)."""
        return self.rounded(spread_out(x, self.weight))

    def around(self, anchors: Tensor, under: Tensor) -> Tensor:
        """A convolution over anchors (B, C, P), computed at the others; `under` as of `Checkerboard.anchors_around`."""
        taps = odd_taps(self.weight.shape[-1]).to(anchors.device)
        matrix = self.weight.flatten(2)[:, :, taps].permute(1, 2, 0).flatten(1)  # (C, taps * O)
        parts = (F.pad(anchors, (0, 1)).transpose(1, 2) @ matrix).unflatten(2, (len(taps), -1)).flatten(1, 2)
        found = parts.index_select(1, (under * len(taps) + torch.arange(len(taps)).to(under)).flatten())
        return self.rounded(found.unflatten(1, under.shape).sum(2).transpose(1, 2))

    def rounded(self, sums: Tensor) -> Tensor:
        return shifted(sums, over_channels(self.scale, sums), over_channels(self.offset, sums), *self.limits)


def convolve(x: Tensor, weight: Tensor) -> Tensor:
    """A convolution with stride 1, odd kernel and zero padding: (B, C, H, W) -> (B, O, H, W), without bias."""
    groups, reach = x.shape[1] // weight.shape[1], weight.shape[-1] // 2
    if x.device.type in LIBRARY:
        return F.conv2d(x, weight, padding=reach, groups=groups)
    columns = F.unfold(x, weight.shape[-1], padding=reach).unflatten(1, (groups, -1))
    sums = weight.flatten(1).unflatten(0, (groups, -1)) @ columns
    return sums.flatten(1, 2).unflatten(2, x.shape[2:])  # type: ignore[no-any-return]


def spread_out(x: Tensor, weight: Tensor) -> Tensor:
    """A transposed convolution with kernel 4, stride 2 and padding 1."""
    if x.device.type in LIBRARY:
        return F.conv_transpose2d(x, weight, stride=2, padding=1)
    columns, size = weight.flatten(1).T @ x.flatten(2), (2 * x.shape[2], 2 * x.shape[3])
    return F.fold(columns, size, 4, padding=1, stride=2)


class ExactActivated:
    """An affine layer followed by a table."""

    def __init__(self, tensors: Tensors) -> None:
        self.affine, self.table = ExactAffine(tensors, PRE), tensors["table"]

    def __call__(self, x: Tensor) -> Tensor:
        return lookup(self.affine(x), self.table, PRE[0])

    def over(self, parts: list[Tensor]) -> Tensor:
        """The same for a 1x1 kernel, with channels in parts, (B, C, P) each."""
        return lookup(self.affine.rounded(self.affine.sums(parts)), self.table, PRE[0])

    def doubled(self, x: Tensor) -> Tensor:
        return lookup(self.affine.doubled(x), self.table, PRE[0])


class ExactModulation:
    """x * slope / 1024 + offset for each channel at a quality, followed by a table."""

    def __init__(self, tensors: Tensors) -> None:
        self.slope, self.offset, self.table = tensors["slope"], tensors["offset"], tensors["table"]

    def __call__(self, x: Tensor, level: Tensor) -> Tensor:
        slope, offset = (interpolate(table, level) / SLOPE_ONE for table in (self.slope, self.offset))
        slope, offset = (over_channels(part.to(x.dtype), x) for part in (slope, offset))
        return lookup(shifted(x, slope, offset, *PRE), self.table, PRE[0])


class ExactChannelNorm:
    """Layer norm over the channels of (B, C, H, W): integer sums, then a square root and a quotient in float64."""

    def __init__(self, tensors: Tensors) -> None:
        scale = torch.ldexp(torch.ones_like(tensors["slope"]), tensors["shift"])
        self.scale, self.offset = tensors["slope"] * scale, tensors["offset"] * scale
        self.floor, self.table = tensors["floor"].double(), tensors["table"]

    def __call__(self, x: Tensor) -> Tensor:
        distance = (x.shape[1] * x - x.sum(1, keepdim=True)).double()
        root = (distance.square().sum(1, keepdim=True) + self.floor).sqrt()
        ratio = snap(distance / root * NORM_ONE).to(x.dtype)
        scale, offset = over_channels(self.scale, x), over_channels(self.offset, x)
        return lookup(shifted(ratio, scale, offset, *PRE), self.table, PRE[0])


class ExactGate:
    """1x1, norm, GELU, 1x1, sigmoid: integers 0..2048."""

    def __init__(self, tensors: Tensors) -> None:
        self.fc1 = ExactAffine(scope(tensors, "fc1"), PRE)
        self.norm = ExactChannelNorm(scope(tensors, "norm"))
        self.fc2 = ExactActivated(scope(tensors, "fc2"))

    def __call__(self, x: Tensor) -> Tensor:
        return self.fc2(self.norm(self.fc1(x)))
