"""ACGC in exact arithmetic: adjacent context, deformable attention and the gates between them."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from s2lic.entropy.exact.fixed import lookup, requantise, snap
from s2lic.entropy.exact.layers import (
    ExactActivated,
    ExactAffine,
    ExactGate,
    Tensors,
    over_channels,
    scope,
)
from s2lic.entropy.exact.limits import (
    ACTIVATION,
    BIAS_REACH,
    BRANCH,
    GRID_MAX,
    MEAN_BITS,
    OFFSET_ONE,
    OFFSET_REACH,
    POINT,
    PRE,
    VALUE,
    key_limit,
)

# The number of logits that a CPU computes at a time, so that they stay in the cache of a core.
PART = 2**18


class ExactBranch:
    """A depth-wise 3x3, GELU and 1x1."""

    def __init__(self, tensors: Tensors) -> None:
        self.spread, self.mix = ExactActivated(scope(tensors, "spread")), ExactAffine(scope(tensors, "mix"), BRANCH)

    def __call__(self, x: Tensor) -> Tensor:
        return self.mix(self.spread(x))


class ExactDeformableAttention:
    """(B, S, H, W) -> (B, dim, H, W): every position attends to a few sampled points of the map."""

    def __init__(self, tensors: Tensors) -> None:
        key = key_limit(len(tensors["to_q.bias"]) // len(tensors["row_bias"]))
        self.to_q = ExactAffine(scope(tensors, "to_q"), ACTIVATION)
        self.to_k = ExactAffine(scope(tensors, "to_k"), (-key, key))
        self.to_v = ExactAffine(scope(tensors, "to_v"), VALUE)
        self.spread, self.pooled = ExactAffine(scope(tensors, "spread"), PRE), tensors["spread.table"]
        self.to_offset = ExactActivated(scope(tensors, "to_offset"))
        self.exponential = tensors["exponential"]
        # Logits are negated and in the units of the exponential table, a power of two.
        self.scale = -torch.ldexp(torch.ones_like(tensors["logit_shift"]), tensors["logit_shift"])
        self.biases = tensors["row_bias"] * self.scale, tensors["col_bias"] * self.scale  # (heads, 2 BIAS_REACH)

    def __call__(self, x: Tensor) -> Tensor:
        q = self.to_q(x)
        points = self.points(q)
        seen = sample(x, points)
        k, v = (layer.rounded(layer.sums([seen])) for layer in (self.to_k, self.to_v))
        rows, cols = (self._bias(table, x, points, axis) for axis, table in enumerate(self.biases))
        heads, height = rows.shape[1:3]
        q, k, v = (t.unflatten(1, (heads, -1)) for t in (q * self.scale, k, v))
        step = height if q.is_cuda else max(1, PART // cols[0].numel())
        lines = (slice(first, first + step) for first in range(0, height, step))
        parts = [self._attend(q[:, :, :, part], k, v, rows[:, :, part], cols) for part in lines]
        return torch.cat(parts, dim=3).flatten(1, 2)

    def points(self, q: Tensor) -> Tensor:
        """(B, G, 2): rows and columns in sixteenths of a position, float64, clamped to the map."""
        grid = [min(size, GRID_MAX) for size in q.shape[2:]]
        offset = self.to_offset(lookup(pool(self.spread(q), grid), self.pooled, PRE[0])).double()
        ends = []
        for axis, (size, count) in enumerate(zip(q.shape[2:], grid, strict=True)):
            cell = torch.arange(count, device=q.device, dtype=torch.float64) * 2 + 1
            middle = cell.view(-1, 1) if axis == 0 else cell.view(1, -1)
            moved = size * (OFFSET_ONE / 2 / OFFSET_REACH * middle + offset[:, axis])
            position = snap(moved / (OFFSET_ONE * count / (POINT * OFFSET_REACH))) - POINT / 2
            ends.append(position.clamp(0, POINT * (size - 1)))
        return torch.stack(ends, -1).flatten(1, 2)

    @staticmethod
    def _bias(table: Tensor, x: Tensor, points: Tensor, axis: int) -> Tensor:
        """The position bias along an axis, (B, heads, lines, G)."""
        lines = POINT * torch.arange(x.shape[2 + axis], device=x.device, dtype=torch.float64)
        distance = (points[:, None, :, axis] - lines[:, None]).clamp(-BIAS_REACH, BIAS_REACH - 1)
        return torch.stack([lookup(distance.clone(), head, -BIAS_REACH) for head in table], dim=1)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
        """q (B, heads, d, H, W), k and v (B, heads, d, G), biases (B, heads, H or W, G) -> q's shape."""
        behind = torch.baddbmm(
            (rows.unsqueeze(3) + cols.unsqueeze(2)).flatten(2, 3).flatten(0, 1),
            q.flatten(3).transpose(2, 3).flatten(0, 1),
            k.flatten(0, 1),
        )
        behind = (behind - behind.amin(2, keepdim=True)).clamp(max=len(self.exponential) - 1)
        weights = lookup(behind, self.exponential, 0).unflatten(0, q.shape[:2])
        sums = torch.cat([v, torch.ones_like(v[:, :, :1])], 2) @ weights.transpose(2, 3)
        values, total = sums[:, :, :-1].double(), sums[:, :, -1:].double()
        means: Tensor = snap(values * 2**MEAN_BITS / total).to(q.dtype).unflatten(3, q.shape[3:])
        return means


def pool(x: Tensor, grid: list[int]) -> Tensor:
    """Adaptive average pooling as in torch, rounded to even: (B, C, H, W) -> (B, C, *grid)."""
    rows, cols = (_bins(size, count, x) for size, count in zip(x.shape[2:], grid, strict=True))
    count = rows.sum(1)[:, None] * cols.sum(1)
    return snap((rows @ (x.double() @ cols.T)) / count).to(x.dtype)


def _bins(size: int, count: int, like: Tensor) -> Tensor:
    """(count, size) float64: 1 where a line belongs to a bin. Bins overlap if they do not divide the map evenly."""
    line, cell = torch.arange(size, device=like.device), torch.arange(count, device=like.device)[:, None]
    inside = (line >= cell * size // count) & (line < -(-(cell + 1) * size // count))
    return inside.double()


def sample(x: Tensor, points: Tensor) -> Tensor:
    """Bilinear samples of x at points (B, G, 2) -> (B, C, G), with weights in 256ths, rounded to even."""
    height, width = x.shape[2:]
    first = (points / POINT).floor()
    part, flat, sums = (points - first * POINT).to(x.dtype), x.flatten(2), x.new_zeros(())
    for corner in itertools.product((0, 1), repeat=2):
        row, col = (first[..., axis] + step for axis, step in enumerate(corner))
        down, right = (part[..., axis] if step else POINT - part[..., axis] for axis, step in enumerate(corner))
        index = (row.clamp(max=height - 1) * width + col.clamp(max=width - 1)).long()
        sums = sums + flat.gather(2, index[:, None].expand(-1, x.shape[1], -1)) * (down * right)[:, None]
    return requantise(sums, 1 / POINT**2, *ACTIVATION)


class ExactAcgc:
    """Decoded slices (B, S, h, w) -> context (B, dim, h, w)."""

    def __init__(self, tensors: Tensors) -> None:
        near, far = scope(tensors, "local"), scope(tensors, "globally")
        self.conv1, self.conv2 = ExactActivated(scope(near, "conv1")), ExactActivated(scope(near, "conv2"))
        self.depthwise_near = ExactBranch(scope(near, "depthwise"))
        self.depthwise_far = ExactBranch(scope(far, "depthwise"))
        self.attention = ExactDeformableAttention(scope(far, "attention"))
        self.conv, self.mix = ExactActivated(scope(far, "conv")), ExactAffine(scope(far, "mix"), BRANCH)
        self.spatial_map = ExactGate(scope(tensors, "spatial_map"))
        self.channel_map = ExactGate(scope(tensors, "channel_map"))
        self.scale = torch.ldexp(torch.ones_like(tensors["shift"]), tensors["shift"])

    def __call__(self, x: Tensor) -> Tensor:
        near = self.conv2(self.conv1(x)) + self.depthwise_near(x)
        far = self.mix(self.conv(self.attention(x))) + self.depthwise_far(x)
        sums = near * self.channel_map(mean(far)) + far * self.spatial_map(near)
        return requantise(sums, over_channels(self.scale, sums), *ACTIVATION)


def mean(x: Tensor) -> Tensor:
    """Four times the mean over the map, rounded to even: (B, C, H, W) -> (B, C, 1, 1)."""
    total = x.double().sum((2, 3), keepdim=True)
    return snap(4 * total / (x.shape[2] * x.shape[3])).to(x.dtype)
