"""Counts of symbols, and the tables that fit them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from s2lic.entropy.census import PRIOR, Census, CountingWriter
from s2lic.entropy.symbol_coder import SymbolReader, SymbolWriter
from s2lic.entropy.tables import TOTAL, Tables, build_tables

TABLES = build_tables([(-1, np.array([1.0, 2.0, 1.0]))], (0.5, 2.0), reach=4)


def widths(tables: Tables, row: int) -> NDArray[np.int64]:
    return np.diff(tables.rows_as_lists[row])[:-1]


def test_a_symbol_is_as_likely_as_it_was_frequent_and_the_row_before_counts_for_so_many() -> None:
    census = Census(TABLES)
    symbols = np.repeat([-1, 0, 2], [300, 500, 200])
    census.add(symbols, np.ones(1000, np.int64))
    share = np.zeros(widths(TABLES, 1).size)
    share[np.array([-1, 0, 2]) - TABLES.offsets[1]] = [300, 500, 200]
    expected = (share + PRIOR * widths(TABLES, 1) / TOTAL) / (1000 + PRIOR) * TOTAL
    assert widths(census.fitted(), 1) == pytest.approx(np.maximum(expected, 1), abs=2)


def test_rows_without_counts_and_thresholds_stay_as_they_were() -> None:
    census = Census(TABLES)
    census.add(np.array([0, 1]), np.array([1, 1]))
    after = census.fitted()
    assert np.array_equal(widths(after, 0), widths(TABLES, 0))
    assert np.array_equal(widths(after, 2), widths(TABLES, 2))
    assert np.array_equal(after.thresholds, TABLES.thresholds)
    assert after.gaussian_first == TABLES.gaussian_first


def test_what_lies_beyond_a_row_counts_for_its_end() -> None:
    census = Census(TABLES)
    census.add(np.array([-900, 900]), np.array([1, 1]))
    ends = np.cumsum(TABLES.sizes - 2)[[0, 1]]
    assert census.counts[[ends[0], ends[1] - 1]].tolist() == [1, 1]
    assert census.counts.sum() == 2


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=60), st.data())
def test_a_counting_writer_writes_as_any_and_tables_that_fit_cost_no_more(
    values: list[int], data: st.DataObject
) -> None:
    symbols = np.array(values)
    rows = np.array(data.draw(st.lists(st.integers(0, 1), min_size=symbols.size, max_size=symbols.size)))
    census, nothing = Census(TABLES), np.zeros(0, np.int64)
    counting, plain = CountingWriter(TABLES, census), SymbolWriter(TABLES)
    for writer in (counting, plain):
        writer.write_rows(np.array([1, -1]), np.zeros(2, np.int64))
        writer.write_gaussian(symbols, rows, nothing)
    assert counting.finish() == plain.finish()
    assert census.counts.sum() == symbols.size + 2
    after = census.fitted(prior=1e-3)
    assert cost(census, after) <= cost(census, TABLES) + 0.01 * symbols.size
    again = SymbolWriter(after)
    again.write_gaussian(symbols, rows, nothing)
    coded = again.finish()
    reader = SymbolReader(after, coded.payload, coded.exceptions, coded.count)
    assert np.array_equal(reader.read_gaussian(rows), symbols)


def cost(census: Census, tables: Tables) -> float:
    """Bits of all that was counted, by the tables' widths."""
    return float(-(census.counts * np.log2(tables.to_arrays()["widths"] / TOTAL)).sum())
