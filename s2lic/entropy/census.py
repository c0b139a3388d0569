"""How often each symbol of each table row was sent, and tables that fit those counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from s2lic.entropy.symbol_coder import Symbols, SymbolWriter
from s2lic.entropy.tables import TOTAL, Tables, quantize_pmf

# A row as it was counts as so many symbols of its own, so that rare rows hardly change.
PRIOR = 1000.0


class Census:
    """Counts of all slots of the tables, laid end to end; what lies beyond a row counts as the slot at its end."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self._slots = tables.sizes.astype(np.int64) - 2
        self._starts = np.cumsum(self._slots) - self._slots
        self.counts: NDArray[np.float64] = np.zeros(int(self._slots.sum()))

    def add(self, symbols: Symbols, rows: NDArray[np.int64]) -> None:
        """Count symbols, each on its row of the tables; same shape."""
        first, last = self.tables.offsets[rows], self.tables.last[rows]
        places = self._starts[rows] + np.clip(symbols, first, last) - first
        self.counts += np.bincount(places.ravel(), minlength=self.counts.size)

    def fitted(self, prior: float = PRIOR) -> Tables:
        """Tables of the same rows and thresholds in which a symbol is as likely as it was frequent."""
        arrays = self.tables.to_arrays()
        parts = np.split(self.counts + prior * arrays["widths"].astype(np.float64) / TOTAL, self._starts[1:])
        widths = np.concatenate([np.diff(quantize_pmf(part))[:-1] for part in parts])
        return Tables.from_arrays({**arrays, "widths": widths.astype(np.uint16)})


class CountingWriter(SymbolWriter):
    """A writer that has all it is given counted."""

    def __init__(self, tables: Tables, census: Census) -> None:
        super().__init__(tables)
        self._census = census

    def write_rows(self, symbols: Symbols, rows: Symbols) -> None:
        super().write_rows(symbols, rows)
        self._census.add(symbols, rows.astype(np.int64))

    def write_gaussian(self, symbols: Symbols, rows: Symbols, near: NDArray[np.int64]) -> None:
        super().write_gaussian(symbols, rows, near)
        self._census.add(symbols, rows.astype(np.int64) + self._census.tables.gaussian_first)
