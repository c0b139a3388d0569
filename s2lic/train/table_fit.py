"""Tables that fit the symbols which a trained model sends, once its encoder has searched."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2lic.coding.networks import Networks
from s2lic.coding.search import LatentSearch, RDProblem, TileView, distortion_weight
from s2lic.defaults import EFFORTS
from s2lic.entropy.quality import QUALITY_MAX
from s2lic.entropy.symbol_coder import Symbols, SymbolWriter
from s2lic.entropy.tables import TOTAL, Tables, quantize_pmf
from s2lic.errors import UsageError
from s2lic.files import read_bytes
from s2lic.progress import ProgressCallback, no_progress, with_progress
from s2lic.train.data import Photos, Source
from s2lic.weights.store import load, retabled

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
        """Tables of the same rows in which a symbol is as likely as it was frequent."""
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

    def write_gaussian(self, symbols: Symbols, rows: Symbols) -> None:
        super().write_gaussian(symbols, rows)
        self._census.add(symbols, rows.astype(np.int64) + self._census.tables.gaussian_first)


SEED = 5  # of the crops; training has 0 unless it is told


def fitted(source: Path, folders: list[Path], crop: int, count: int, done: ProgressCallback = no_progress) -> bytes:
    """The weights file with tables that fit what it sends for so many crops of the pictures in folders.

    Raises InputMissingError, WeightsError, ConditionError, UsageError for a crop that is no multiple of 64.
    """
    if crop % 64:
        raise UsageError(f"--crop {crop} is no multiple of 64")
    networks = Networks(load(source), torch.device("cpu"))
    photos = Photos.load(folders, crop, networks.weights.model.row.transform.cond)
    return retabled(read_bytes(source), count_symbols(networks, photos, crop, count, done).fitted())


def count_symbols(
    networks: Networks, photos: Source, crop: int, count: int, done: ProgressCallback = no_progress
) -> Census:
    """What is sent for so many random crops, whose qualities lie evenly over the range; `done` hears of each.

    A Gaussian of the predicted scale tells the frequencies of symbols to about a percent of their bits: a search
    sends more zeros than that, and tails are heavier.
    """
    census = Census(networks.weights.tables)
    for turn in with_progress(range(count), count, done):
        x, beside = (cut(1, crop, (SEED, turn)) for cut in (photos.batch, photos.beside))
        assert x is not None
        level = int((turn + 0.5) / count * QUALITY_MAX)
        _count(networks, x.to(networks.device), beside, level, census)
    return census


def _count(networks: Networks, x: Tensor, beside: Tensor | None, level: int, census: Census) -> None:
    weights, levels = networks.weights, torch.tensor([level], device=networks.device)
    y = networks.analyse(x, networks.condition_level(level), None if beside is None else beside.to(networks.device))
    view = TileView(x, y, (slice(None), slice(None)))
    problem = RDProblem(view, partial(networks.synthesise_float, level=level), distortion_weight(levels, None, x))
    aim = LatentSearch(problem, weights.coder, levels, None).run(EFFORTS[weights.model.row.tune])
    writer = partial(CountingWriter, census=census)
    weights.coder.encode(y, levels, aim=aim, writer=writer)
