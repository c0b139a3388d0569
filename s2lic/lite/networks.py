"""The networks of one set of weights on onnxruntime, with the interface that the decoder needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2lic.entropy.config import EntropyRow
from s2lic.entropy.exact.limits import ANSWER_LEVEL, LEVELS, Y_ONE
from s2lic.entropy.latent_size import LatentSize, least_bits, z_rows
from s2lic.entropy.symbol_coder import SymbolReader, SymbolStream, check_capacity
from s2lic.entropy.tables import Tables
from s2lic.lite.domain import Floats
from s2lic.lite.known_answer import check
from s2lic.lite.sessions import Sessions
from s2lic.lite.walk import Places, Walk
from s2lic.onnx.export import builders
from s2lic.weights.arrays import WeightArrays


@dataclass(frozen=True, eq=False)
class OnnxNetworks:
    """The graphs of one set. Quality levels are 0..10000."""

    weights: WeightArrays
    sessions: Sessions

    @property
    def entropy_row(self) -> EntropyRow:
        """The sizes of the entropy model."""
        return self.weights.entropy

    @property
    def tables(self) -> Tables:
        """The tables of the range coder."""
        return self.weights.tables

    def walk(self, level: int) -> Walk:
        """The slices at a quality level."""
        return Walk(self.weights, self.sessions, level)

    def decode_latent(
        self,
        streams: list[SymbolStream],
        levels: list[int],
        size: LatentSize,
        step_exponent: NDArray[np.int64] | None = None,
    ) -> Floats:
        """y_hat (B, M, h, w) of streams of equal size. `step_exponent` is (B, h, w). Raises a BitstreamError."""
        steps = [None] * len(streams) if step_exponent is None else list(step_exponent)
        return np.stack([self._decode(*one, size) for one in zip(streams, levels, steps, strict=True)])

    def _decode(
        self, stream: SymbolStream, level: int, step_exponent: NDArray[np.int64] | None, size: LatentSize
    ) -> Floats:
        row, tables = self.weights.entropy, self.weights.tables
        check_capacity(len(stream.payload), least_bits(row, tables, level, size))
        reader = SymbolReader(tables, stream.payload, stream.exceptions, size.symbols(row))
        (rows,) = z_rows(row, [level], size)

        def quantise(mu: Floats, rows: NDArray[np.int32], first: int, at: Places) -> NDArray[np.int16]:
            return reader.read_gaussian(rows)

        steps = None if step_exponent is None else step_exponent.ravel().astype(np.float64)
        whole = self.walk(level).run(reader.read_rows(rows), (size.height, size.width), quantise, steps)
        reader.finish(stream.symbol_crc)
        return self.inverse_gained(whole, level)

    def inverse_gained(self, y_hat: Floats, level: int) -> Floats:
        """Convert y_hat (M, h, w) from 64ths of a step to the input of g_s."""
        table = self.weights.parameters["entropy.gains.log_inverse"].astype(np.float64)
        inverse = np.exp(between(table, level)).astype(np.float32)
        found: Floats = y_hat / np.float32(Y_ONE) * inverse[:, None, None]
        return found

    def synthesise(self, y_hat: Floats, level: int) -> NDArray[np.uint8]:
        """g_s: y_hat -> (B, 3, H, W) uint8."""
        return np.concatenate([self.sessions.run("g_s", y_hat=one[None])[0].astype(np.uint8) for one in y_hat])


def between(table: NDArray[np.float64], level: int) -> NDArray[np.float64]:
    """(anchors, ...) -> (...), interpolated linearly between the two anchors around a level."""
    position = level * (len(table) - 1) / LEVELS
    low = min(int(position), len(table) - 2)
    found: NDArray[np.float64] = table[low] * (1 - position + low) + table[low + 1] * (position - low)
    return found


def open_networks(weights: WeightArrays, threads: int = 0) -> OnnxNetworks:
    """Open the networks and check the known answer of onnxruntime.

    Raises InexactDeviceError, or BlockChoiceError for a transform that has no graphs.
    """
    networks = OnnxNetworks(weights, Sessions(builders(weights), threads))
    check(networks.walk(ANSWER_LEVEL))
    return networks
