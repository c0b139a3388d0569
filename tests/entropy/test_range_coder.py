"""The three range coders write the same bytes, and the fastest one that is installed is used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from s2lic.entropy import range_coder, rans
from s2lic.entropy.range_coder import ListCoder, NativeCoder, RangeCoder, load_ans, load_coder
from s2lic.entropy.tables import Tables, build_tables, row_count, row_scales
from s2lic.errors import TruncatedError, UsageError

TABLES = build_tables([(-16, np.ones(33)), (90, np.arange(1.0, 21.0))], row_scales(row_count(512.0)))
CODERS: list[RangeCoder] = [NativeCoder(), ListCoder(load_ans()), ListCoder(rans)]
each = pytest.mark.parametrize("coder", CODERS, ids=lambda coder: coder.name)
ROUND_TRIP = """
row = [0, 1000, 65536, 65536]
encoder = coder.BufferedRansEncoder()
encoder.encode_with_indexes([0, 1, 1, 0], [0] * 4, [row], [4], [0])
decoder = coder.RansDecoder()
decoder.set_stream(encoder.flush() + bytes(24))
assert decoder.decode_stream([0] * 4, [row], [4], [0]) == [0, 1, 1, 0]
"""


def drawn(seed: int, count: int, tables: Tables = TABLES) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and symbols within them, rare ones too."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, tables.sizes.size, count)
    return rng.integers(tables.offsets[rows], tables.last[rows] + 1), rows


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(3, 400), st.integers(0, 400))
def test_all_write_the_same_bytes_and_read_each_other(seed: int, count: int, cut: int) -> None:
    symbols, rows = drawn(seed, count)
    streams = [coder.encode(symbols, rows, TABLES) for coder in CODERS]
    assert streams[0] == streams[1] == streams[2]
    for coder in CODERS:
        read = coder.decoder(streams[0] + bytes(8 + 4 * count), TABLES)
        found = [read(rows[:cut]), read(rows[cut:cut]), read(rows[cut:])]
        assert np.array_equal(np.concatenate(found), symbols)
        assert found[0].dtype == np.int16


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=8, max_size=80), st.integers(0, 2**32))
def test_any_bytes_are_the_same_symbols_for_all_or_run_out(stream: bytes, seed: int) -> None:
    """No coder reads beyond its stream; the zeros behind it are those that a reader of files appends."""
    stream, (_, rows) = stream[: len(stream) // 4 * 4], drawn(seed, 60)
    found = [coder.decoder(stream + bytes(8 + 4 * 60), TABLES)(rows) for coder in CODERS]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    for coder in (CODERS[0], CODERS[2]):
        with pytest.raises(TruncatedError):
            coder.decoder(stream, TABLES)(np.zeros(40 * len(stream), np.int64))


@pytest.mark.parametrize(("symbol", "row"), [(17, 0), (-17, 0), (0, -1), (0, 10**6), (89, 1)])
def test_the_native_coder_refuses_what_lies_beyond_a_row(symbol: int, row: int) -> None:
    with pytest.raises(UsageError, match="beyond"):
        NativeCoder().encode(np.array([symbol]), np.array([row]), TABLES)


@pytest.mark.parametrize("row", [-1, 10**6])
def test_the_native_decoder_refuses_a_row_beyond_the_tables(row: int) -> None:
    with pytest.raises(UsageError, match="beyond"):
        NativeCoder().decoder(bytes(8), TABLES)(np.array([row]))


@each
def test_nothing_is_the_lowest_state(coder: RangeCoder) -> None:
    nothing = np.zeros(0, np.int64)
    if coder.name != "compressai.ans":  # which reads outside its buffer there; see SYMBOLS_MIN
        assert coder.encode(nothing, nothing, TABLES) == (1 << 31).to_bytes(8, "little")


def test_a_stream_below_8_bytes_is_refused() -> None:
    with pytest.raises(TruncatedError):
        NativeCoder().decoder(bytes(7), TABLES)


def test_the_native_coder_is_used_where_it_was_built() -> None:
    assert isinstance(load_coder(), NativeCoder)
    assert load_coder() is load_coder()


def missing(name: str) -> ModuleSpec | None:
    return None


def empty(name: str) -> ModuleSpec | None:
    return ModuleSpec("compressai", None, is_package=True)


@pytest.mark.parametrize("find", [missing, empty])
def test_plain_python_stands_in_where_nothing_is_compiled(
    monkeypatch: pytest.MonkeyPatch, find: Callable[[str], ModuleSpec | None]
) -> None:
    monkeypatch.delitem(sys.modules, range_coder.COMPRESSAI, raising=False)
    monkeypatch.setitem(sys.modules, NativeCoder.name, None)
    monkeypatch.setattr("importlib.util.find_spec", find)
    assert load_coder.__wrapped__().name == rans.__name__


def test_compressai_stands_in_where_the_native_coder_was_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, NativeCoder.name, None)
    assert load_coder.__wrapped__().name == "compressai.ans"


def run_alone(code: str) -> None:
    finished = subprocess.run([sys.executable, "-c", code + ROUND_TRIP], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_our_loader_then_compressai_share_one_module() -> None:
    run_alone(
        "import sys\n"
        "from s2lic.entropy.range_coder import load_ans\n"
        "coder = load_ans()\n"
        "assert 'compressai' not in sys.modules and 'torch' not in sys.modules\n"
        "import compressai\n"
        "from compressai import ans\n"
        "assert ans is coder\n"
    )


def test_compressai_then_our_loader_share_one_module() -> None:
    run_alone(
        "import compressai.ans\n"
        "from s2lic.entropy.range_coder import load_ans\n"
        "coder = load_ans()\n"
        "assert coder is compressai.ans\n"
    )
