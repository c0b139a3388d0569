"""The entropy networks in exact arithmetic: symbols of z to rows and means of y, the same on every device."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from s2lic.entropy.checkerboard import Checkerboard, take
from s2lic.entropy.config import EntropyRow
from s2lic.entropy.exact.acgc import ExactAcgc
from s2lic.entropy.exact.fixed import exp2, interpolate, requantise, snap
from s2lic.entropy.exact.layers import (
    ExactActivated,
    ExactAffine,
    ExactModulation,
    Tensors,
    over_channels,
    scope,
)
from s2lic.entropy.exact.limits import (
    ACTIVATION,
    LEVEL_UNIT,
    LEVELS,
    MEAN,
    MU_LIMIT,
    PRE,
    ROW_UNIT,
    Y_BITS,
    Y_ONE,
    Z_LIMITS,
    Z_ONE,
)
from s2lic.entropy.tables import SCALE_MIN, row_count

# log2 of the scale of row 0.
OCTAVE_FLOOR = math.log2(SCALE_MIN)
LOCAL_KERNEL = 5

# Called once per half: (mean in 64ths, row, first channel, raster positions) -> symbols. Means, rows and symbols are
# (B, c, P).
ExactQuantise = Callable[[Tensor, Tensor, int, Tensor], Tensor]


class ExactHyperSynthesis:
    """z_hat -> hyper features (B, 2M, h, w)."""

    def __init__(self, tensors: Tensors) -> None:
        self.first, self.up1, self.mix = (ExactActivated(scope(tensors, name)) for name in ("first", "up1", "mix"))
        self.up2, self.last = ExactAffine(scope(tensors, "up2"), PRE), ExactAffine(scope(tensors, "last"), ACTIVATION)
        self.modulate = ExactModulation(scope(tensors, "modulate"))

    def __call__(self, z_hat: Tensor, level: Tensor, height: int, width: int) -> Tensor:
        x = self.mix(self.up1.doubled(self.first(z_hat)))
        x = self.modulate(self.up2.doubled(x), level)
        return self.last(x[:, :, :height, :width])


class ExactParameters:
    """g_ep: features (B, K, P) -> mean and scale (B, c, P)."""

    def __init__(self, tensors: Tensors) -> None:
        self.fc1, self.fc2 = ExactAffine(scope(tensors, "fc1"), PRE), ExactAffine(scope(tensors, "fc2"), MEAN)
        self.modulate = ExactModulation(scope(tensors, "modulate"))

    def __call__(self, sums: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        mean, scale = self.fc2(self.modulate(self.fc1.rounded(sums), level)).chunk(2, dim=1)
        return mean, scale


class ExactSlice:
    """The networks of one slice of channels."""

    def __init__(self, tensors: Tensors) -> None:
        inner = scope(tensors, "acgc")
        self.acgc = ExactAcgc(inner) if inner else None
        self.local = ExactAffine(scope(tensors, "local"), ACTIVATION)
        self.parameters = ExactParameters(scope(tensors, "parameters_net"))
        lrp = scope(tensors, "lrp")
        self.fc1, self.fc2 = ExactActivated(scope(lrp, "fc1")), ExactActivated(scope(lrp, "fc2"))

    def known(self, hyper: Tensor, before: Tensor) -> Tensor:
        """The sums of g_ep that both halves share: hyper features and, after the first slice, the ACGC context."""
        seen = [hyper] if self.acgc is None else [hyper, self.acgc(before)]
        return self.parameters.fc1.sums([x.flatten(2) for x in seen])

    def with_local(self, sums: Tensor, anchors: Tensor, under: Tensor) -> Tensor:
        """The sums of the other half: `sums` plus the local context from the anchors."""
        fc1, local = self.parameters.fc1, self.local.around(anchors, under)
        return fc1.added(sums, [local], fc1.weight.shape[1] - local.shape[1])

    def correction(self, seen: list[Tensor]) -> Tensor:
        """The correction of LRP, in 64ths of a step."""
        return self.fc2(self.fc1.over([x.flatten(2) for x in seen]).unflatten(2, seen[0].shape[2:]))


class Domain:
    """The scales of the channels of y at a quality: gains, means and inputs of context networks. Exact in float64."""

    def __init__(self, tensors: Tensors, level: Tensor) -> None:
        self.level = level
        self.octaves = interpolate(tensors["log_gain"], level)  # (B, M), 1024ths
        self.gain = exp2(self.octaves)
        self._mean = torch.ldexp(self.gain, Y_BITS - tensors["mean_exponent"].double())
        self._context = torch.ldexp(exp2(-self.octaves), tensors["context_exponent"].double() - Y_BITS)

    def row(self, scale: Tensor, part: slice, step_exponent: Tensor | None) -> Tensor:
        """The row (B, c, P) of scales times the gain, in 64ths."""
        moved = scale + over_channels(self.octaves[:, part], scale).to(scale.dtype)
        return moved if step_exponent is None else moved + LEVEL_UNIT * step_exponent

    def mu(self, mean: Tensor, part: slice) -> Tensor:
        """The mean (B, c, P) in 64ths of a step."""
        return self._scaled(mean, self._mean[:, part], -MU_LIMIT, MU_LIMIT)

    def context(self, y_hat: Tensor, part: slice) -> Tensor:
        """y_hat (B, c, ...) in 64ths of a step -> the input of context networks."""
        return self._scaled(y_hat, self._context[:, part], *ACTIVATION)

    @staticmethod
    def _scaled(x: Tensor, scale: Tensor, low: int, high: int) -> Tensor:
        return requantise(x.double() * over_channels(scale, x), 1.0, low, high).to(x.dtype)


class ExactEntropy:
    """The exact networks of one set of weights, on the device and in the float type of their tensors."""

    def __init__(self, config: EntropyRow, tensors: Tensors) -> None:
        self.config, self.rows, self.tensors = config, row_count(config.sigma_max), tensors
        self._h_s = ExactHyperSynthesis(scope(tensors, "h_s"))
        self._slices = [ExactSlice(scope(tensors, f"slices.{index}")) for index in range(len(config.slices))]

    @property
    def dtype(self) -> torch.dtype:
        """The float type that holds the integers."""
        return self.tensors["z_centre"].dtype

    def gain(self, level: Tensor) -> Tensor:
        """The gain of y at levels (B,) of 0..10000, (B, M) float64."""
        return Domain(self.tensors, level).gain

    def z_centre(self, level: Tensor) -> Tensor:
        """The median of z, (B, Z, 1, 1) in 16ths."""
        table = self.tensors["z_centre"]
        nearest = (2 * level.long() * (len(table) - 1) + LEVELS) // (2 * LEVELS)
        return table[nearest][:, :, None, None]

    def __call__(
        self,
        z: Tensor,
        level: Tensor,
        size: tuple[int, int],
        quantise: ExactQuantise,
        step_exponent: Tensor | None = None,
    ) -> Tensor:
        """Symbols of z (B, Z, h', w') -> y_hat (B, M, h, w) in 64ths of a step.

        step_exponent: integers n (B, 1, h * w), which divide the step at each position by 2^(n / 4).
        """
        z_hat = (Z_ONE * z + self.z_centre(level)).clamp(*Z_LIMITS)
        hyper = self._h_s(z_hat, level, *size)
        domain, board = Domain(self.tensors, level), Checkerboard.of(*size, z.device)
        walk = _Walk(domain, board, board.anchors_around(LOCAL_KERNEL // 2), self.rows, quantise, step_exponent)
        y_hat, seen = list[Tensor](), list[Tensor]()
        for nets, (first, last) in zip(self._slices, pairwise(accumulate(self.config.slices, initial=0)), strict=True):
            part, block = slice(first, last), hyper[:, 2 * first : 2 * last]
            y_hat.append(walk.code(nets, block, torch.cat(seen, 1) if seen else block[:, :0], part))
            seen.append(domain.context(y_hat[-1], part))
        return torch.cat(y_hat, 1)


@dataclass(frozen=True)
class _Walk:
    """The state of one pass over the slices. `under` is the result of `Checkerboard.anchors_around`."""

    domain: Domain
    board: Checkerboard
    under: Tensor
    rows: int
    quantise: ExactQuantise
    step_exponent: Tensor | None

    def code(self, nets: ExactSlice, hyper: Tensor, before: Tensor, part: slice) -> Tensor:
        """y_hat of one slice: anchors without local context, the other half with it, then LRP over both."""
        board, known = self.board, nets.known(hyper, before)
        anchors = self._half(nets, take(known, board.anchors), board.anchors, part)
        seen = self.domain.context(anchors, part)
        sums = nets.with_local(take(known, board.others), seen, self.under)
        others = self._half(nets, sums, board.others, part)
        context = board.to_map(seen, self.domain.context(others, part))
        correction = nets.correction([hyper[:, : part.stop - part.start], before, context])
        corrected: Tensor = board.to_map(anchors, others) + correction
        return corrected

    def _half(self, nets: ExactSlice, sums: Tensor, positions: Tensor, part: slice) -> Tensor:
        """y_hat (B, c, P) of one half, before LRP."""
        mean, scale = nets.parameters(sums, self.domain.level)
        mu = self.domain.mu(mean, part)
        step_exponent = None if self.step_exponent is None else self.step_exponent[:, :, positions]
        row = self.domain.row(scale, part, step_exponent)
        symbols = self.quantise(mu, requantise(row, 1 / ROW_UNIT, 0, self.rows - 1), part.start, positions)
        return restored(symbols, step_exponent) + mu


def restored(symbols: Tensor, step_exponent: Tensor | None) -> Tensor:
    """Symbols (B, c, P), whose steps are divided by 2^(step_exponent / 4) -> 64ths of a full step."""
    if step_exponent is None:
        return symbols.mul(Y_ONE)
    whole: Tensor = snap(symbols.double() * (Y_ONE * exp2(-LEVEL_UNIT * step_exponent.double()))).to(symbols.dtype)
    return whole
