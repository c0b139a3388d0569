from __future__ import annotations

import math
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from s2lic.container.exceptions import CodingException, pack_exceptions
from s2lic.entropy import rans
from s2lic.entropy.range_coder import ListCoder, NativeCoder, RangeCoder, load_ans
from s2lic.entropy.symbol_coder import SymbolReader, SymbolStream, SymbolWriter
from s2lic.entropy.tables import TOTAL, build_tables, row_count, row_scales
from s2lic.errors import (
    ArithmeticFaultError,
    ExceptionListError,
    PayloadSizeError,
    SymbolChecksumError,
    TruncatedError,
    UsageError,
)
from tests.scaled import read_scaled, rows_of, write_scaled

TABLES = build_tables([(-16, np.ones(33)), (90, np.arange(1.0, 21.0))], row_scales(row_count(512.0)))
CODERS: dict[str, RangeCoder] = {"plain": ListCoder(rans), "compressai": ListCoder(load_ans()), "native": NativeCoder()}
all_coders = pytest.mark.parametrize("coder", CODERS.values(), ids=CODERS)
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def random_y(seed: int, count: int, top: float = 60.0) -> tuple[Ints, Floats]:
    rng = np.random.default_rng(seed)
    sigma = np.exp(rng.uniform(math.log(0.05), math.log(top), count))
    return np.rint(rng.normal(size=count) * sigma).astype(np.int64), sigma


def write_y(symbols: Ints, sigma: Floats) -> SymbolStream:
    writer = SymbolWriter(TABLES)
    write_scaled(writer, TABLES, symbols, sigma)
    return writer.finish()


def reader_of(coded: SymbolStream, coder: RangeCoder | None = None) -> SymbolReader:
    return SymbolReader(TABLES, coded.payload, coded.exceptions, coded.count, coder)


def ideal_bits(symbols: Ints, sigma: Floats) -> float:
    tails = [abs(symbols) - 0.5, abs(symbols) + 0.5]
    near, far = (
        np.array([math.erfc(t / s / math.sqrt(2)) / 2 for t, s in zip(tail, sigma, strict=True)]) for tail in tails
    )
    return float(-np.log2(near - far).sum())


@all_coders
def test_passes_of_z_and_y_come_back_in_order_and_shape(coder: RangeCoder) -> None:
    rng = np.random.default_rng(1)
    z, rows = rng.integers(90, 110, (2, 3, 4)), np.ones((2, 3, 4), int)
    y, sigma = (part.reshape(10, 8, 5) for part in random_y(2, 400))
    writer = SymbolWriter(TABLES, coder=coder)
    writer.write_rows(z, rows)
    for i in range(0, 10, 2):
        write_scaled(writer, TABLES, y[i : i + 2], sigma[i : i + 2])
    coded = writer.finish()
    reader = reader_of(coded, coder)
    assert np.array_equal(reader.read_rows(rows), z)
    for i in range(0, 10, 5):
        assert np.array_equal(read_scaled(reader, TABLES, sigma[i : i + 5]), y[i : i + 5])
    reader.finish(coded.symbol_crc)
    assert coded.count == 24 + 400


def test_all_coders_write_the_same_stream() -> None:
    symbols, sigma = random_y(3, 3000)
    streams = []
    for coder in CODERS.values():
        writer = SymbolWriter(TABLES, coder=coder)
        write_scaled(writer, TABLES, symbols, sigma)
        streams.append(writer.finish())
    assert streams[0] == streams[1] == streams[2]


def test_golden_stream() -> None:
    writer = SymbolWriter(TABLES)
    writer.write_rows(np.array([3, 95]), np.array([0, 1]))
    write_scaled(writer, TABLES, np.array([0, -2, 1, 40, 300]), np.array([0.1, 1.5, 0.7, 33.0, 2.0]))
    coded = writer.finish()
    assert coded.payload.hex() == "4a99d2bb3d000000132bbae3"
    assert coded.exceptions == (CodingException(6, 300),)
    assert pack_exceptions(coded.exceptions).hex() == "0106d804"
    assert coded.symbol_crc == zlib.crc32(np.array([3, 95, 0, -2, 1, 40, 300], "<i2").tobytes())


@all_coders
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 51])
def test_few_symbols_are_padded_to_eight_bytes_at_least(coder: RangeCoder, count: int) -> None:
    # At 16 bits a symbol: two such, unpadded, overrun the compiled coder's buffer.
    symbols, sigma = np.full(count, 4), np.full(count, 0.11)
    writer = SymbolWriter(TABLES, coder=coder)
    write_scaled(writer, TABLES, symbols, sigma)
    coded = writer.finish()
    assert coded.count == count
    assert len(coded.payload) == 8 + 4 * (count // 2)
    reader = reader_of(coded, coder)
    assert np.array_equal(read_scaled(reader, TABLES, sigma), symbols)
    reader.finish(coded.symbol_crc)


def test_empty_passes_leave_no_trace() -> None:
    symbols, sigma = random_y(4, 50)
    writer = SymbolWriter(TABLES)
    for part in (slice(0), slice(0, 20), slice(0), slice(20, 50), slice(0)):
        write_scaled(writer, TABLES, symbols[part], sigma[part])
    writer.write_rows(np.empty(0, int), np.empty(0, int))
    coded = writer.finish()
    assert coded == write_y(symbols, sigma)
    reader = reader_of(coded)
    assert read_scaled(reader, TABLES, sigma[:0]).size == reader.read_rows(np.empty((0, 3), int)).size == 0
    assert np.array_equal(read_scaled(reader, TABLES, sigma), symbols)
    reader.finish(coded.symbol_crc)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(-32768, 32767), st.floats(0.01, 900)), max_size=80))
def test_symbols_beyond_their_row_come_back_through_exceptions(
    pairs: list[tuple[int, float]],
) -> None:
    symbols, sigma = np.array([p[0] for p in pairs], int), np.array([p[1] for p in pairs])
    coded = write_y(symbols, sigma)
    rows = TABLES.gaussian_first + rows_of(TABLES, sigma)
    beyond = (symbols < TABLES.offsets[rows]) | (symbols > TABLES.last[rows])
    listed = [e.position for e in coded.exceptions]
    assert listed == np.flatnonzero(beyond).tolist()
    read = read_scaled(reader_of(coded), TABLES, sigma)
    assert np.array_equal(read, symbols)


def test_a_z_symbol_beyond_its_row_comes_back_through_an_exception() -> None:
    writer = SymbolWriter(TABLES)
    symbols, rows = np.array([17, -16, -400, 89, 110]), np.array([0, 0, 0, 1, 1])
    writer.write_rows(symbols, rows)
    coded = writer.finish()
    assert [e.position for e in coded.exceptions] == [0, 2, 3, 4]
    reader = reader_of(coded)
    assert np.array_equal(reader.read_rows(rows), symbols)
    reader.finish(coded.symbol_crc)


@pytest.mark.parametrize("symbol", [32768, -32769, 2**40])
def test_a_symbol_beyond_16_bits_is_an_arithmetic_fault(symbol: int) -> None:
    with pytest.raises(ArithmeticFaultError, match="16 bits"):
        SymbolWriter(TABLES).write_rows(np.array([symbol]), np.zeros(1, int))


@pytest.mark.parametrize("row", [-1, 2])
def test_a_row_that_is_not_factorised_is_refused(row: int) -> None:
    with pytest.raises(UsageError):
        SymbolWriter(TABLES).write_rows(np.zeros(1, int), np.array([row]))
    with pytest.raises(UsageError):
        reader_of(write_y(*random_y(8, 4))).read_rows(np.array([row]))


@pytest.mark.parametrize("row", [-1, TABLES.gaussian_count])
def test_a_row_that_is_not_gaussian_is_refused(row: int) -> None:
    with pytest.raises(UsageError):
        SymbolWriter(TABLES).write_gaussian(np.zeros(1, int), np.array([row]))
    with pytest.raises(UsageError):
        reader_of(write_y(*random_y(8, 4))).read_gaussian(np.array([row]))


def test_unequal_numbers_of_symbols_and_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="2 symbols"):
        SymbolWriter(TABLES).write_gaussian(np.zeros(2, int), np.zeros(3, int))


def test_a_writer_finishes_once() -> None:
    writer = SymbolWriter(TABLES)
    writer.finish()
    with pytest.raises(UsageError):
        writer.finish()
    with pytest.raises(UsageError):
        write_scaled(writer, TABLES, np.zeros(5, int), np.ones(5))


@pytest.mark.parametrize("size", [0, 4, 7])
def test_a_payload_below_8_bytes_is_truncated(size: int) -> None:
    with pytest.raises(TruncatedError):
        SymbolReader(TABLES, bytes(size), (), 100)


@pytest.mark.parametrize("size", [9, 211, 212])
def test_a_payload_of_a_length_no_writer_gives_is_a_payload_size_error(size: int) -> None:
    with pytest.raises(PayloadSizeError):
        SymbolReader(TABLES, bytes(size), (), 100)


@pytest.mark.parametrize(
    "exception",
    [
        CodingException(100, 0),
        CodingException(-1, 0),
    ],
)
def test_an_exception_that_fits_no_symbol_is_refused(exception: CodingException) -> None:
    with pytest.raises(ExceptionListError):
        SymbolReader(TABLES, bytes(8), (exception,), 100)


def test_reading_more_or_fewer_symbols_than_declared_is_the_callers_fault() -> None:
    coded = write_y(*random_y(9, 10))
    with pytest.raises(UsageError):
        read_scaled(reader_of(coded), TABLES, np.ones(11))
    with pytest.raises(UsageError):
        reader_of(coded).finish(coded.symbol_crc)


@all_coders
def test_any_payload_ends_in_the_symbol_checksum_and_never_in_a_crash(coder: RangeCoder) -> None:
    rng = np.random.default_rng(10)
    rows, sigma = rng.integers(0, 2, 400), np.exp(rng.uniform(-3, 7, 2000))
    for words in [*range(2, 12), *rng.integers(2, 1202, 20), 1202]:
        fill = rng.integers(0, 256) if words % 3 == 0 else rng.integers(0, 256, 4 * words)
        payload = np.full(4 * words, fill, np.uint8).tobytes()
        reader = SymbolReader(TABLES, payload, (), 2400, coder)
        z, y = reader.read_rows(rows), read_scaled(reader, TABLES, sigma)
        assert ((z >= TABLES.offsets[rows]) & (z <= TABLES.last[rows])).all()
        assert abs(y).max() <= TABLES.last[-1]
        with pytest.raises(SymbolChecksumError):
            reader.finish(0x12345678)


def test_a_payload_cut_short_ends_in_the_symbol_checksum() -> None:
    symbols, sigma = random_y(11, 5000)
    coded = write_y(symbols, sigma)
    for length in (8, 12, 400, len(coded.payload) - 4):
        reader = reader_of(replace(coded, payload=coded.payload[:length]))
        assert (read_scaled(reader, TABLES, sigma) != symbols).any()
        with pytest.raises(SymbolChecksumError):
            reader.finish(coded.symbol_crc)


@pytest.mark.parametrize("sigma", [0.4, 0.77, 1.0, 3.3, 20.0, 150.0, 400.0])
def test_the_size_is_the_ideal_code_length_at_the_exact_scale(sigma: float) -> None:
    rng = np.random.default_rng(12)
    scales = sigma * np.exp(rng.uniform(-0.1, 0.1, 8000))
    symbols = np.rint(rng.normal(size=8000) * scales).astype(int)
    coded = write_y(symbols, scales)
    size = len(coded.payload) + len(pack_exceptions(coded.exceptions))
    assert size <= 1.005 * ideal_bits(symbols, scales) / 8 + 16


def test_at_the_smallest_scale_a_zero_costs_no_more_than_the_reach_of_its_row() -> None:
    coded = write_y(np.zeros(50_000, int), np.full(50_000, 0.11))
    assert len(coded.payload) <= 8 + 50_000 * -math.log2(1 - 8 / TOTAL) / 8
