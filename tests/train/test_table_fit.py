"""Tables fitted to what an encoder sends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from s2lic.codec import Codec
from s2lic.coding.networks import Networks
from s2lic.entropy.symbol_coder import SymbolReader, SymbolWriter
from s2lic.entropy.tables import TOTAL, Tables, build_tables
from s2lic.errors import UsageError
from s2lic.train.data import Photos
from s2lic.train.table_fit import PRIOR, Census, CountingWriter, count_symbols, fitted
from s2lic.weights.store import load
from tests.frozen import MODEL, codec, picture


def test_every_symbol_of_every_crop_is_counted(photos: Photos) -> None:
    row = codec().weights.model.row.entropy
    census = count_symbols(Networks(load(MODEL), torch.device("cpu")), photos, 64, 3)
    assert census.counts.sum() == 3 * (row.latent * 4 * 4 + row.side)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file fitted to the tracked portrait."""
    folder = tmp_path_factory.mktemp("fit")
    picture("portrait", size=(320, 240)).save(folder / "portrait.png")
    path = folder / "own.safetensors"
    path.write_bytes(fitted(MODEL, [folder], 192, 8))
    return path


def test_fitted_tables_make_files_smaller_that_decode_to_the_same_picture(own: Path) -> None:
    coder, image = Codec(own), picture("portrait", size=(320, 240))
    for quality in (20, 50, 80):
        before, after = (c.encode(image, quality) for c in (codec("auto"), coder))
        assert len(after) < len(before)
        assert np.array_equal(np.asarray(coder.decode(after)), np.asarray(codec("auto").decode(before)))


def test_only_the_widths_of_slots_change(own: Path) -> None:
    before, after = load(MODEL), load(own)
    assert before.model_id != after.model_id
    for (name, a), (_, b) in zip(before.model.state_dict().items(), after.model.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    old, new = before.tables.to_arrays(), after.tables.to_arrays()
    assert [name for name in old if not np.array_equal(old[name], new[name])] == ["widths"]
    assert new["widths"].sum() == TOTAL * old["slots"].size


def test_a_crop_of_no_whole_places_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (128, 128)).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match="multiple of 64"):
        fitted(MODEL, [tmp_path], 100, 1)


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
    census = Census(TABLES)
    counting, plain = CountingWriter(TABLES, census), SymbolWriter(TABLES)
    for writer in (counting, plain):
        writer.write_rows(np.array([1, -1]), np.zeros(2, np.int64))
        writer.write_gaussian(symbols, rows)
    assert counting.finish() == plain.finish()
    assert census.counts.sum() == symbols.size + 2
    after = census.fitted(prior=1e-3)
    assert cost(census, after) <= cost(census, TABLES) + 0.01 * symbols.size
    again = SymbolWriter(after)
    again.write_gaussian(symbols, rows)
    coded = again.finish()
    reader = SymbolReader(after, coded.payload, coded.exceptions, coded.count)
    assert np.array_equal(reader.read_gaussian(rows), symbols)


def cost(census: Census, tables: Tables) -> float:
    """Bits of all that was counted, by the tables' widths."""
    return float(-(census.counts * np.log2(tables.to_arrays()["widths"] / TOTAL)).sum())
