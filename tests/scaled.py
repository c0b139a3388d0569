"""Symbols of y by their scales, as `coding` writes and reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from s2lic.entropy.symbol_coder import MARGIN, SymbolReader, SymbolWriter
from s2lic.entropy.tables import Tables
from s2lic.kernels.quantise_index import index_scales, quantise_index


def as_half(values: NDArray[Any]) -> torch.Tensor:
    """One picture and one channel of so many places."""
    return torch.from_numpy(values).reshape(1, -1, 1)


def write_scaled(
    writer: SymbolWriter,
    tables: Tables,
    symbols: NDArray[np.int64],
    sigma: NDArray[np.float64],
    margin: float = MARGIN,
) -> None:
    thresholds = torch.from_numpy(tables.thresholds)
    found = quantise_index(as_half(symbols.astype(np.float64)), as_half(sigma), thresholds, margin)
    writer.write_gaussian(*(part.numpy() for part in found))


def read_scaled(reader: SymbolReader, tables: Tables, sigma: NDArray[np.float64]) -> NDArray[np.int16]:
    rows = index_scales(as_half(sigma), torch.from_numpy(tables.thresholds)).numpy()
    return reader.read_gaussian(rows).reshape(sigma.shape)
