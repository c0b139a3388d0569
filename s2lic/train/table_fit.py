"""Fits the CDF tables to the symbols that a trained model codes, after the encoder's search."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2lic.coding.networks import Networks
from s2lic.coding.search import LatentSearch, TileView, distortion_weight, search_problem
from s2lic.defaults import EFFORTS
from s2lic.entropy.quality import QUALITY_MAX
from s2lic.entropy.symbol_coder import Symbols, SymbolWriter
from s2lic.entropy.tables import TOTAL, Tables, quantize_pmf
from s2lic.errors import UsageError
from s2lic.files import read_bytes
from s2lic.runtime import ProgressCallback, no_progress, with_progress
from s2lic.train.data import Photos, Source
from s2lic.weights.store import load, with_tables

# The weight of a row's old frequencies, in symbols. Rare rows therefore hardly change.
PRIOR = 1000.0


class Census:
    """Counts symbols per slot of all tables. A symbol beyond its row counts for the row's last slot."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self._slots = tables.sizes.astype(np.int64) - 2
        self._starts = np.cumsum(self._slots) - self._slots
        self.counts: NDArray[np.float64] = np.zeros(int(self._slots.sum()))

    def add(self, symbols: Symbols, rows: NDArray[np.int64]) -> None:
        """Counts symbols and their rows of the tables, two arrays of the same shape."""
        first, last = self.tables.offsets[rows], self.tables.last[rows]
        places = self._starts[rows] + np.clip(symbols, first, last) - first
        self.counts += np.bincount(places.ravel(), minlength=self.counts.size)

    def fitted(self, prior: float = PRIOR) -> Tables:
        """Tables with the same rows, whose probabilities are the counted frequencies."""
        arrays = self.tables.to_arrays()
        parts = np.split(self.counts + prior * arrays["widths"].astype(np.float64) / TOTAL, self._starts[1:])
        widths = np.concatenate([np.diff(quantize_pmf(part))[:-1] for part in parts])
        return Tables.from_arrays({**arrays, "widths": widths.astype(np.uint16)})


class CountingWriter(SymbolWriter):
    """A writer that counts the symbols it writes."""

    def __init__(self, tables: Tables, census: Census) -> None:
        super().__init__(tables)
        self._census = census

    def write_rows(self, symbols: Symbols, rows: Symbols) -> None:
        super().write_rows(symbols, rows)
        self._census.add(symbols, rows.astype(np.int64))

    def write_gaussian(self, symbols: Symbols, rows: Symbols) -> None:
        super().write_gaussian(symbols, rows)
        self._census.add(symbols, rows.astype(np.int64) + self._census.tables.gaussian_first)


SEED = 5  # of the crops; the default of training is 0


def fitted(source: Path, folders: list[Path], crop: int, count: int, done: ProgressCallback = no_progress) -> bytes:
    """The weights file with tables that fit what it sends for so many crops of the pictures in folders.

    Raises InputMissingError, WeightsError, ConditionError, UsageError for a crop that is not a multiple of 64.
    """
    if crop % 64:
        raise UsageError(f"--crop {crop} is not a multiple of 64")
    networks = Networks(load(source), torch.device("cpu"))
    photos = Photos.load(folders, crop, networks.weights.model.row.transform.cond)
    return with_tables(read_bytes(source), count_symbols(networks, photos, crop, count, done).fitted())


def count_symbols(
    networks: Networks, photos: Source, crop: int, count: int, done: ProgressCallback = no_progress
) -> Census:
    """Counts the symbols of `count` random crops, whose qualities are spread evenly over the range.

    The predicted Gaussians are about a percent of bits away from the true frequencies: a search codes more zeros, and
    tails are heavier.
    """
    census = Census(networks.weights.tables)
    for turn in with_progress(range(count), count, done):
        x, condition = (cut(1, crop, (SEED, turn)) for cut in (photos.batch, photos.conditions))
        assert x is not None
        level = int((turn + 0.5) / count * QUALITY_MAX)
        _count(networks, x.to(networks.device), condition, level, census)
    return census


def _count(networks: Networks, x: Tensor, condition: Tensor | None, level: int, census: Census) -> None:
    weights, levels = networks.weights, torch.tensor([level], device=networks.device)
    y = networks.analyse(
        x, networks.condition_level(level), None if condition is None else condition.to(networks.device)
    )
    view = TileView(x, y, (slice(None), slice(None)))
    tune, synthesise = weights.model.row.tune, partial(networks.synthesise_float, level=level)
    problem = search_problem(tune, view, synthesise, distortion_weight(levels, None, x), level)
    target = LatentSearch(problem, weights.coder, levels, None).run(EFFORTS[tune])
    writer = partial(CountingWriter, census=census)
    weights.coder.encode(y, levels, target=target, writer=writer)
