"""Symbols of y by their scales, each on the row whose scale is nearest to its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from s2lic.entropy.symbol_coder import SymbolReader, SymbolWriter
from s2lic.entropy.tables import ROWS_PER_OCTAVE, SCALE_MIN, Tables


def rows_of(tables: Tables, sigma: NDArray[np.float64]) -> NDArray[np.int64]:
    steps = np.rint(np.log2(sigma / SCALE_MIN) * ROWS_PER_OCTAVE)
    return np.clip(steps, 0, tables.gaussian_count - 1).astype(np.int64)


def write_scaled(writer: SymbolWriter, tables: Tables, symbols: NDArray[np.int64], sigma: NDArray[np.float64]) -> None:
    writer.write_gaussian(symbols, rows_of(tables, sigma))


def read_scaled(reader: SymbolReader, tables: Tables, sigma: NDArray[np.float64]) -> NDArray[np.int16]:
    return reader.read_gaussian(rows_of(tables, sigma))
