"""Coding of slice after slice, half after half, on ONNX graphs; see `s2lic.entropy.exact.networks`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from s2lic.entropy.exact.limits import SLOPE_ONE, Z_LIMITS, Z_ONE
from s2lic.entropy.latent_size import nearest_anchor
from s2lic.entropy.symbol_coder import Symbols
from s2lic.lite.domain import Doubles, Floats, QualityScales, interpolate, restored
from s2lic.lite.sessions import Sessions
from s2lic.onnx.export import modulation_names
from s2lic.weights.arrays import WeightArrays

Places = NDArray[np.int64]
# Called once per half: (means in 64ths (c, P), rows (c, P), first channel, raster positions) -> symbols (c, P).
Quantise = Callable[[Floats, NDArray[np.int32], int, Places], Symbols]


def halves(height: int, width: int) -> tuple[Places, Places]:
    """Raster positions of the anchors, whose row + column is even, and of the others."""
    odd = (np.arange(height)[:, None] + np.arange(width)) % 2
    return np.flatnonzero(odd == 0), np.flatnonzero(odd)


@dataclass(frozen=True)
class Walk:
    """Computes y_hat from the symbols of z at one quality level."""

    weights: WeightArrays
    sessions: Sessions
    level: int

    def z_centre(self) -> NDArray[np.float32]:
        """The centre of z, (Z, 1, 1) in 16ths."""
        table = self.weights.exact["z_centre"]
        found: Floats = table[nearest_anchor(self.level, len(table))].astype(np.float32)[:, None, None]
        return found

    @cached_property
    def domain(self) -> QualityScales:
        """The scales of the channels of y at this level."""
        return QualityScales(self.weights.exact, self.level)

    def run(
        self, z: Symbols, size: tuple[int, int], quantise: Quantise, step_exponent: Doubles | None = None
    ) -> Floats:
        """Symbols of z (Z, h', w') -> y_hat (M, h, w) in 64ths of a step. `step_exponent` is (h * w,)."""
        row = self.weights.entropy
        hyper = self._hyper(z, *size)
        places = halves(*size)
        y_hat, context = (np.empty((row.latent, size[0] * size[1]), np.float32) for _ in range(2))
        for index, (first, last) in enumerate(pairwise(accumulate(row.slices, initial=0))):
            state = _Slice(self, index, slice(first, last), places, quantise, step_exponent)
            block = np.ascontiguousarray(hyper[2 * first : 2 * last])
            y_hat[first:last] = state.run(block, context[:first].reshape(1, first, *size))
            context[first:last] = self.domain.context(y_hat[first:last], slice(first, last))
        return y_hat.reshape(-1, *size)

    def _hyper(self, z: Symbols, height: int, width: int) -> Floats:
        z_hat = np.clip(Z_ONE * z.astype(np.float32) + self.z_centre(), *Z_LIMITS)[None]
        (hyper,) = self.sessions.run("h_s", z_hat=z_hat, **self.modulation("h_s", 4))
        return hyper[0, :, :height, :width]

    def modulation(self, graph: str, dims: int) -> dict[str, Floats]:
        """The slope and offset of each channel, as graph inputs with `dims` dimensions."""
        prefix, shape = modulation_names(self.weights)[graph], (1, -1, *[1] * (dims - 2))
        return {
            name: (interpolate(self.weights.exact[f"{prefix}.{name}"], self.level) / SLOPE_ONE)
            .astype(np.float32)
            .reshape(shape)
            for name in ("slope", "offset")
        }


@dataclass(frozen=True)
class _Slice:
    """One slice of channels."""

    walk: Walk
    index: int
    part: slice
    places: tuple[Places, Places]
    quantise: Quantise
    step_exponent: Doubles | None

    def run(self, hyper: Floats, context: Floats) -> Floats:
        """y_hat (c, h * w): anchors without local context, others with it, then LRP over both."""
        anchors, others = self.places
        before = {"context": context} if context.shape[1] else {}
        (known,) = self._run("known", hyper=hyper[None], **before)
        y_hat, seen = (np.zeros((len(hyper) // 2, anchors.size + others.size), np.float32) for _ in range(2))
        y_hat[:, anchors] = self._half(known[:, :, anchors], anchors)
        seen[:, anchors] = self.walk.domain.context(y_hat[:, anchors], self.part)
        own = seen.reshape(1, -1, *context.shape[2:])
        if others.size:
            (local,) = self._run("local", anchors=own)
            y_hat[:, others] = self._half(known[:, :, others] + local[:, :, others], others)
            seen[:, others] = self.walk.domain.context(y_hat[:, others], self.part)
        (correction,) = self._run("lrp", hyper=hyper[None, : len(y_hat)], **before, own=own)
        return y_hat + correction.reshape(y_hat.shape)  # type: ignore[no-any-return]

    def _half(self, sums: Floats, at: Places) -> Floats:
        modulation = self.walk.modulation(f"slices.{self.index}.parameters", 3)
        mean, scale = self._run("parameters", sums=sums, **modulation)
        step_exponent = None if self.step_exponent is None else self.step_exponent[at]
        mu = self.walk.domain.mu(mean[0], self.part)
        rows = self.walk.domain.rows(scale[0], self.part, step_exponent, self.walk.weights.tables.gaussian_count)
        symbols = self.quantise(mu, rows, self.part.start, at)
        return (restored(symbols, step_exponent) + mu).astype(np.float32)

    def _run(self, graph: str, **inputs: Floats) -> list[Floats]:
        return self.walk.sessions.run(f"slices.{self.index}.{graph}", **inputs)
