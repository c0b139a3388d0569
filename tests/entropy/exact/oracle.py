"""The exact networks once more, slowly, in int64 of numpy: what `s2lic.entropy.exact` has to equal to the bit.

One picture, no code in common with the fast path. Quotients are of whole numbers; where docs/bitstream.md asks for
float64 (layer norm), the operations are numpy's own, one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, getcontext
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Symbols = Callable[[Ints, Ints, int, Ints], Ints]
getcontext().prec = 40
POWERS = np.array([int((Decimal(2) ** (Decimal(k) / 1024) * 2**15).to_integral_value()) for k in range(1024)])


def quotient(number: Ints, divisor: int) -> Ints:
    """The nearest integer to number / divisor, ties to even."""
    whole, rest = np.divmod(number, divisor)
    up = (2 * rest > divisor) | ((2 * rest == divisor) & (whole % 2 == 1))
    return np.asarray(whole + up, np.int64)


def shifted(number: Ints, shift: int) -> Ints:
    """The nearest integer to number * 2^shift, ties to even."""
    return number << shift if shift >= 0 else quotient(number, 1 << -shift)


def by_channel(number: Ints, shifts: Ints) -> Ints:
    return np.stack([shifted(n, int(s)) for n, s in zip(number, shifts, strict=True)])


def power(exponents: Ints) -> tuple[Ints, Ints]:
    """2^(n / 1024) as (mantissas, shifts)."""
    return POWERS[exponents % 1024], exponents // 1024 - 15


def between(table: Ints, level: int) -> Ints:
    """Rows of anchors, linear at a level of 0..10000."""
    low = min(level * (len(table) - 1) // 10_000, len(table) - 2)
    part = level * (len(table) - 1) - 10_000 * low
    return quotient(table[low] * (10_000 - part) + table[low + 1] * part, 10_000)


class Oracle:
    """The networks of integers by name; `rows` is the number of rows for y."""

    def __init__(self, tensors: dict[str, Ints], slices: tuple[int, ...], rows: int) -> None:
        self.t, self.slices, self.rows = tensors, slices, rows

    def run(
        self, z: Ints, level: int, size: tuple[int, int], symbols: Symbols, step_exponent: Ints | None = None
    ) -> Ints:
        """Symbols of z (Z, h', w') -> y_hat (M, h, w) in 64ths; `symbols` answers (mu, rows, first, places)."""
        anchors = len(self.t["z_centre"])
        nearest = int(level * (anchors - 1) / 10_000 + 0.5)
        z_hat = np.clip(16 * z + self.t["z_centre"][nearest][:, None, None], -2048, 2047)
        hyper = self.h_s(z_hat, level)[:, : size[0], : size[1]]
        octaves = between(self.t["log_gain"], level)
        y = np.zeros((sum(self.slices), *size), np.int64)
        seen = np.zeros_like(y)
        starts = np.cumsum([0, *self.slices])
        for index, (first, last) in enumerate(pairwise(starts.tolist())):
            block = hyper[2 * first : 2 * last]
            y[first:last] = self.slice(index, block, seen[:first], octaves, level, first, last, symbols, step_exponent)
            seen[first:last] = self.context(y[first:last], octaves, first, last)
        return y

    def h_s(self, z_hat: Ints, level: int) -> Ints:
        x = self.active("h_s.first", self.conv("h_s.first", z_hat))
        x = self.active("h_s.up1", self.transposed("h_s.up1", x))
        x = self.active("h_s.mix", self.conv("h_s.mix", x))
        x = self.modulated("h_s.modulate", self.transposed("h_s.up2", x), level)
        return self.conv("h_s.last", x, (-512, 511))

    def slice(
        self, index: int, hyper: Ints, before: Ints, octaves: Ints, level: int, first: int, last: int,
        symbols: Symbols, step_exponent: Ints | None,
    ) -> Ints:  # fmt: skip
        name, c = f"slices.{index}", last - first
        height, width = hyper.shape[1:]
        known = [hyper, self.acgc(f"{name}.acgc", before)] if index else [hyper]
        parity = np.add.outer(np.arange(height), np.arange(width)) % 2
        y = np.zeros((c, height, width), np.int64)
        for half in (0, 1):
            places = np.flatnonzero(parity.ravel() == half)
            local = np.zeros((len(self.t[f"{name}.local.bias"]), height, width), np.int64)
            if half:
                local = self.conv(f"{name}.local", self.context(y, octaves, first, last), (-512, 511))
            mean, scale = self.parameters(f"{name}.parameters_net", np.concatenate([*known, local]), level)
            mean, scale = (x.reshape(c, -1)[:, places] for x in (mean, scale))
            mu = self.mu(mean, octaves, first, last)
            fine = np.zeros(len(places), np.int64) if step_exponent is None else step_exponent[places]
            row = np.clip(quotient(scale + octaves[first:last, None] + 256 * fine, 64), 0, self.rows - 1)
            q = symbols(mu, row, first, places)
            mantissa, shift = power(-256 * fine)
            parts = [shifted(64 * q[:, i] * mantissa[i], int(shift[i])) for i in range(len(places))]
            y.reshape(c, -1)[:, places] = (np.stack(parts, 1) if parts else mu) + mu
        seen = np.concatenate([hyper[:c], before, self.context(y, octaves, first, last)])
        x = self.active(f"{name}.lrp.fc1", self.conv(f"{name}.lrp.fc1", seen))
        return y + self.active(f"{name}.lrp.fc2", self.conv(f"{name}.lrp.fc2", x))

    def parameters(self, name: str, features: Ints, level: int) -> tuple[Ints, Ints]:
        x = self.modulated(f"{name}.modulate", self.conv(f"{name}.fc1", features), level)
        out = self.conv(f"{name}.fc2", x, (-32768, 32767))
        return out[: len(out) // 2], out[len(out) // 2 :]

    def mu(self, mean: Ints, octaves: Ints, first: int, last: int) -> Ints:
        mantissa, shift = power(octaves[first:last])
        shift = shift + 6 - self.t["mean_exponent"][first:last]
        return np.clip(by_channel(mean * mantissa[:, None], shift), -(2**21), 2**21)

    def context(self, y: Ints, octaves: Ints, first: int, last: int) -> Ints:
        mantissa, shift = power(-octaves[first:last])
        shift = shift + self.t["context_exponent"][first:last] - 6
        return np.clip(by_channel(y * mantissa[:, None, None], shift), -512, 511)

    def acgc(self, name: str, x: Ints) -> Ints:
        near, far = f"{name}.local", f"{name}.globally"
        a = self.active(f"{near}.conv1", self.conv(f"{near}.conv1", x))
        a = self.active(f"{near}.conv2", self.conv(f"{near}.conv2", a)) + self.branch(f"{near}.depthwise", x)
        b = self.attention(f"{far}.attention", x)
        b = self.conv(f"{far}.mix", self.active(f"{far}.conv", self.conv(f"{far}.conv", b)), (-1024, 1023))
        b = b + self.branch(f"{far}.depthwise", x)
        mean = quotient(4 * b.sum((1, 2), keepdims=True), b.shape[1] * b.shape[2])
        sums = a * self.gate(f"{name}.channel_map", mean) + b * self.gate(f"{name}.spatial_map", a)
        return np.clip(by_channel(sums, self.t[f"{name}.shift"]), -512, 511)

    def branch(self, name: str, x: Ints) -> Ints:
        spread = self.active(f"{name}.spread", self.conv(f"{name}.spread", x))
        return self.conv(f"{name}.mix", spread, (-1024, 1023))

    def gate(self, name: str, x: Ints) -> Ints:
        x = self.conv(f"{name}.fc1", x)
        distance = len(x) * x - x.sum(0)
        root = np.sqrt((distance**2).sum(0) + int(self.t[f"{name}.norm.floor"][0]), dtype=np.float64)
        ratio = np.rint(np.divide(distance, root) * 4096).astype(np.int64)
        slope, offset = (self.t[f"{name}.norm.{part}"][:, None, None] for part in ("slope", "offset"))
        x = np.clip(by_channel(ratio * slope + offset, self.t[f"{name}.norm.shift"]), -2048, 2047)
        return self.active(f"{name}.fc2", self.conv(f"{name}.fc2", self.active(f"{name}.norm", x)))

    def attention(self, name: str, x: Ints) -> Ints:
        t, (height, width) = self.t, x.shape[1:]
        q = self.conv(f"{name}.to_q", x, (-512, 511))
        points = self.points(name, q)
        places = np.stack([self.sample(x, int(row), int(col)) for row, col in points], 1)  # (S, G)
        heads = len(t[f"{name}.row_bias"])
        d = len(q) // heads
        key = min(511, 2**22 // (512 * d))
        k = self.conv(f"{name}.to_k", places[:, :, None], (-key, key))[..., 0]
        v = self.conv(f"{name}.to_v", places[:, :, None], (-127, 127))[..., 0]
        out = np.zeros_like(q)
        for head in range(heads):
            own = slice(head * d, head * d + d)
            for i in range(height):
                for j in range(width):
                    down = np.clip(points[:, 0] - 16 * i, -2048, 2047) + 2048
                    right = np.clip(points[:, 1] - 16 * j, -2048, 2047) + 2048
                    bias = t[f"{name}.row_bias"][head][down] + t[f"{name}.col_bias"][head][right]
                    logits = q[own, i, j] @ k[own] + bias
                    behind = (logits.max() - logits) * 2 ** int(t[f"{name}.logit_shift"][0] + 30) >> 30
                    weight = t[f"{name}.exponential"][np.minimum(behind, 2047)]
                    out[own, i, j] = quotient(4 * (v[own] @ weight), int(weight.sum()))
        return out

    def points(self, name: str, q: Ints) -> Ints:
        spread = self.conv(f"{name}.spread", q)
        height, width = q.shape[1:]
        grid = min(height, 16), min(width, 16)
        pooled = np.zeros((len(q), *grid), np.int64)
        for i in range(grid[0]):
            for j in range(grid[1]):
                rows = slice(i * height // grid[0], math.ceil((i + 1) * height / grid[0]))
                cols = slice(j * width // grid[1], math.ceil((j + 1) * width / grid[1]))
                bin_ = spread[:, rows, cols].reshape(len(q), -1)
                pooled[:, i, j] = quotient(bin_.sum(1), bin_.shape[1])
        offset = self.active(f"{name}.to_offset", self.conv(f"{name}.to_offset", self.active(f"{name}.spread", pooled)))
        points = []
        for i in range(grid[0]):
            for j in range(grid[1]):
                row = quotient(height * (256 * (2 * i + 1) + offset[0, i, j]), 32 * grid[0]) - 8
                col = quotient(width * (256 * (2 * j + 1) + offset[1, i, j]), 32 * grid[1]) - 8
                points.append((np.clip(row, 0, 16 * (height - 1)), np.clip(col, 0, 16 * (width - 1))))
        return np.array(points, np.int64)

    @staticmethod
    def sample(x: Ints, row: int, col: int) -> Ints:
        (i, down), (j, right) = divmod(row, 16), divmod(col, 16)
        below, beside = min(i + 1, x.shape[1] - 1), min(j + 1, x.shape[2] - 1)
        upper = x[:, i, j] * (16 - right) + x[:, i, beside] * right
        lower = x[:, below, j] * (16 - right) + x[:, below, beside] * right
        return quotient(upper * (16 - down) + lower * down, 256)

    def active(self, name: str, x: Ints) -> Ints:
        return self.t[f"{name}.table"][x + 2048]

    def modulated(self, name: str, x: Ints, level: int) -> Ints:
        slope, offset = (between(self.t[f"{name}.{part}"], level)[:, None, None] for part in ("slope", "offset"))
        return self.active(name, np.clip(quotient(x * slope + offset, 1024), -2048, 2047))

    def conv(self, name: str, x: Ints, limits: tuple[int, int] = (-2048, 2047)) -> Ints:
        """Tap by tap over a map with zeros around it; a kernel of one input channel is one a channel."""
        weight, bias = self.t[f"{name}.weight"], self.t[f"{name}.bias"]
        weight = weight.reshape(*weight.shape, 1, 1) if weight.ndim == 2 else weight
        reach = weight.shape[-1] // 2
        padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach)))
        sums = np.repeat(bias, x[0].size).reshape(len(bias), *x.shape[1:])
        for i in range(weight.shape[2]):
            for j in range(weight.shape[3]):
                seen = padded[:, i : i + x.shape[1], j : j + x.shape[2]]
                tap = weight[:, :, i, j]
                own = tap.shape[1] == 1 and len(x) > 1
                sums = sums + (tap[:, :, None] * seen if own else np.einsum("oc,chw->ohw", tap, seen))
        return np.clip(by_channel(sums, self.t[f"{name}.shift"]), *limits)

    def transposed(self, name: str, x: Ints) -> Ints:
        """Every element of x spreads a kernel of 4 x 4 over places two apart, less one of a rim."""
        weight, bias = self.t[f"{name}.weight"], self.t[f"{name}.bias"]
        height, width = x.shape[1:]
        wide = np.zeros((len(bias), 2 * height + 2, 2 * width + 2), np.int64)
        for i in range(4):
            for j in range(4):
                wide[:, i : i + 2 * height : 2, j : j + 2 * width : 2] += np.einsum(
                    "co,chw->ohw", weight[:, :, i, j], x
                )
        sums = wide[:, 1:-1, 1:-1] + bias[:, None, None]
        return np.clip(by_channel(sums, self.t[f"{name}.shift"]), -2048, 2047)
