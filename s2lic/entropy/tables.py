"""Integer CDF tables. They are made once at export and stored with the weights, so that all machines use the same.

A row is `[0, ..., 65536, 65536]`: ascending bounds of the slots of consecutive symbols, then one slot of width zero,
which disables the unbounded bypass mode of the coder. Rows of the factorised prior come first
(row = anchor * z_channels + channel), then Gaussian rows by ascending scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lic.entropy.rans import PRECISION
from s2lic.errors import WeightsError

TOTAL = 1 << PRECISION
# Every Gaussian row has slots for at least this many symbols on each side of zero. Others are exceptions.
MIN_REACH = 4
# A slot takes 2**-16 of mass from the others, about 2.2e-5 bits per symbol. Without the slot its symbol is an exception
# of about 30 bits more. The two are equal at a mass of about 2**-20. Half of that costs nothing measurable for a true
# Gaussian and leaves room for heavier tails.
TAIL_MASS = 2.0**-21
# The scale of the first row of y, and the number of rows per doubling.
SCALE_MIN, ROWS_PER_OCTAVE = 0.11, 16
SLOTS_MIN, SLOTS_MAX = 2, TOTAL
INT16 = np.iinfo(np.int16)

Row = tuple[int, NDArray[np.int32]]
Pmf = tuple[int, NDArray[np.float64]]
RowArguments = tuple[list[int], list[list[int]], list[int], list[int]]


@dataclass(frozen=True, eq=False)
class Tables:
    """All rows of a weights file, end to end. Invalid rows raise WeightsError.

    Attributes:
        cdf: The bounds of all rows, int32.
        sizes: The number of bounds of each row, int32.
        offsets: The symbol of the first slot of each row, int32.
        gaussian_first: The first Gaussian row.
    """

    cdf: NDArray[np.int32]
    sizes: NDArray[np.int32]
    offsets: NDArray[np.int32]
    gaussian_first: int

    def __post_init__(self) -> None:
        _check_layout(self)
        _check_rows(self)
        _check_gaussian(self)

    @property
    def gaussian_count(self) -> int:
        """The number of rows of y."""
        return int(self.sizes.size) - self.gaussian_first

    @cached_property
    def starts(self) -> NDArray[np.int32]:
        """Where the bounds of each row begin."""
        return (np.cumsum(self.sizes) - self.sizes).astype(np.int32)

    @cached_property
    def last(self) -> NDArray[np.int32]:
        """The symbol of the last slot of each row that has a width."""
        return self.offsets + self.sizes - 3

    @cached_property
    def least_bits(self) -> NDArray[np.float64]:
        """The bits of the most likely symbol of each row."""
        widest = np.maximum.reduceat(np.diff(self.cdf, append=0), self.starts)
        bits: NDArray[np.float64] = PRECISION - np.log2(widest)
        return bits

    @cached_property
    def rows_as_lists(self) -> list[list[int]]:
        """The rows in the form the range coder takes."""
        return [row.tolist() for row in np.split(self.cdf, np.cumsum(self.sizes)[:-1])]

    def arguments(self, rows: NDArray[np.integer[Any]]) -> RowArguments:
        """(indexes, cdfs, sizes, offsets) for a coder call on `rows`, with only the rows in use.

        The coder copies all rows in every call, so only those in use are passed.
        """
        used = np.flatnonzero(np.bincount(rows, minlength=self.sizes.size))
        place = np.zeros(self.sizes.size, np.int64)
        place[used] = np.arange(used.size)
        lists = [self.rows_as_lists[row] for row in used]
        return place[rows].tolist(), lists, self.sizes[used].tolist(), self.offsets[used].tolist()

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays of a weights file. They hold slot widths, which fit 16 bits, instead of bounds."""
        starts = np.cumsum(self.sizes) - self.sizes
        within_row = np.ones(self.cdf.size, bool)
        within_row[starts] = within_row[starts + self.sizes - 1] = False
        widths = np.diff(self.cdf, prepend=0)[within_row]
        return {
            "widths": widths.astype(np.uint16),
            "slots": (self.sizes - 2).astype(np.int32),
            "offsets": self.offsets.astype(np.int32),
            "first": np.array([self.gaussian_first], np.int32),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Tables:
        """The inverse of `to_arrays`. Raises WeightsError for invalid rows."""
        widths = _stored(arrays, "widths", np.uint16).astype(np.int64)
        slots = _stored(arrays, "slots", np.int32).astype(np.int64)
        offsets = _stored(arrays, "offsets", np.int32).astype(np.int32)
        first = _stored(arrays, "first", np.int32)
        if first.size != 1:
            raise WeightsError("the stored tables lack the index of the first row of y")
        return cls(_bounds(widths, slots), (slots + 2).astype(np.int32), offsets, int(first[0]))


def quantize_pmf(pmf: NDArray[np.float64]) -> NDArray[np.int32]:
    """The integer row with the least expected code length for `pmf` (n,), all widths being at least 1.

    Returns (n + 2,) bounds. The pmf need not sum to one. Each unit of width goes where it saves most bits, found by
    bisection on that saving. Among tied slots the left ones get the last units.
    Raises WeightsError if the pmf is not a distribution or has too few or too many slots.
    """
    if not SLOTS_MIN <= pmf.size <= SLOTS_MAX:
        raise WeightsError(f"a row has {SLOTS_MIN} to {SLOTS_MAX} slots, not {pmf.size}")
    if not (np.isfinite(pmf).all() and (pmf >= 0).all() and pmf.max() > 0):
        raise WeightsError("a pmf has a negative or non-finite mass, or no mass at all")
    pmf = pmf / pmf.max()
    low, high = 0.0, 2.0 * TOTAL / float(pmf.sum())
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _widths(pmf, middle).sum() <= TOTAL else (low, middle)
    widths = _widths(pmf, low)
    tied = np.flatnonzero(_widths(pmf, high) != widths)
    widths[tied[: TOTAL - int(widths.sum())]] += 1
    return np.concatenate([[0], np.cumsum(widths), [TOTAL]]).astype(np.int32)


def row_scales(rows: int) -> tuple[float, ...]:
    """The standard deviation of each row of y."""
    return tuple((SCALE_MIN * np.exp2(np.arange(rows) / ROWS_PER_OCTAVE)).tolist())


def row_count(scale_max: float) -> int:
    """The number of rows up to a scale."""
    return math.ceil(math.log2(scale_max / SCALE_MIN) * ROWS_PER_OCTAVE) + 1


def gaussian_rows(scales: Sequence[float], reach: int = MIN_REACH) -> list[Row]:
    """(offset, bounds) per scale: a zero-mean Gaussian integrated over unit steps.

    A row has all slots of mass TAIL_MASS or more, and at least `reach` on each side.
    """
    return [_gaussian_row(float(scale), reach) for scale in scales]


def build_tables(z_pmfs: Sequence[Pmf], scales: Sequence[float], reach: int = MIN_REACH) -> Tables:
    """Tables of factorised rows, given as (symbol of the first slot, masses), and then Gaussian rows.

    Raises WeightsError for a pmf that does not fit a row.
    """
    rows = [(offset, quantize_pmf(pmf)) for offset, pmf in z_pmfs]
    rows += gaussian_rows(scales, reach)
    return Tables(
        cdf=np.concatenate([bounds for _, bounds in rows]),
        sizes=np.array([bounds.size for _, bounds in rows], np.int32),
        offsets=np.array([offset for offset, _ in rows], np.int32),
        gaussian_first=len(z_pmfs),
    )


def _widths(pmf: NDArray[np.float64], scale: float) -> NDArray[np.int64]:
    """Grow each slot as long as one more unit saves at least 1 / scale nats."""
    share = scale * pmf
    widths: NDArray[np.float64] = np.maximum(np.floor(share + 0.5), 1.0)
    # 1 / log(1 + 1 / width) lies just below width + 1/2, where rounding would stop.
    widths += share >= 1 / np.log1p(1 / widths)
    return widths.astype(np.int64)


def _gaussian_row(scale: float, reach: int) -> Row:
    bins = reach + 2 + math.ceil(6 * scale)
    # erfc keeps the relative accuracy of the tails, which differences of erf would lose.
    beyond = [0.5 * math.erfc((k + 0.5) / (scale * math.sqrt(2))) for k in range(bins)]
    right = -np.diff(beyond)
    side = right[: max(reach, int((right >= TAIL_MASS).sum()))]
    return -side.size, quantize_pmf(np.concatenate([side[::-1], [1 - 2 * beyond[0]], side]))


def _stored(arrays: Mapping[str, NDArray[np.generic]], name: str, dtype: type[np.generic]) -> NDArray[np.generic]:
    found = arrays.get(name)
    if found is None or found.ndim != 1 or found.dtype != dtype:
        raise WeightsError(f"the stored tables lack a flat {dtype.__name__} array {name!r}")
    return found


def _bounds(widths: NDArray[np.int64], slots: NDArray[np.int64]) -> NDArray[np.int32]:
    """The bounds of rows with these slot widths. Raises WeightsError for zero widths or a wrong sum."""
    if slots.size == 0 or slots.min() < SLOTS_MIN or slots.max() > SLOTS_MAX:
        raise WeightsError(f"a stored row has {SLOTS_MIN} to {SLOTS_MAX} slots")
    ends = np.cumsum(slots)
    if ends[-1] != widths.size or (widths == 0).any():
        raise WeightsError("the stored slot widths do not fit their rows")
    if (np.add.reduceat(widths, ends - slots) != TOTAL).any():
        raise WeightsError(f"the slot widths of a stored row do not sum to {TOTAL}")
    row = np.repeat(np.arange(slots.size), slots)
    cdf = np.full(widths.size + 2 * slots.size, TOTAL, np.int32)
    cdf[np.arange(widths.size) + 2 * row + 1] = np.cumsum(widths) - TOTAL * row
    cdf[ends - slots + 2 * np.arange(slots.size)] = 0
    return cdf


def _check_layout(tables: Tables) -> None:
    sizes = tables.sizes.astype(np.int64)
    if sizes.size == 0 or sizes.min() < SLOTS_MIN + 2 or sizes.max() > SLOTS_MAX + 2:
        raise WeightsError(f"a CDF row has {SLOTS_MIN} to {SLOTS_MAX} slots")
    if sizes.sum() != tables.cdf.size or tables.offsets.shape != tables.sizes.shape:
        raise WeightsError("the CDF rows do not fill their table")
    if tables.offsets.min() < INT16.min or (tables.offsets + sizes - 3).max() > INT16.max:
        raise WeightsError("a CDF row has symbols that do not fit 16 bits")


def _check_rows(tables: Tables) -> None:
    ends = np.cumsum(tables.sizes.astype(np.int64))
    starts, rising = ends - tables.sizes, np.diff(tables.cdf) > 0
    rising[ends[:-1] - 1] = True
    if rising[ends - 2].any() or (tables.cdf[starts] != 0).any():
        raise WeightsError("a CDF row does not start at 0 or end in a slot of width zero")
    rising[ends - 2] = True
    if not rising.all() or (tables.cdf[ends - 1] != TOTAL).any():
        raise WeightsError(f"a CDF row does not ascend to {TOTAL}")


def _check_gaussian(tables: Tables) -> None:
    first = tables.gaussian_first
    if not 0 <= first < tables.sizes.size:
        raise WeightsError("the tables have no rows for y")
    if (tables.offsets[first:] > 0).any() or (tables.last[first:] < 0).any():
        raise WeightsError("a row of y lacks the symbol 0")
