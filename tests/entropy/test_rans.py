from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2lic.entropy import rans
from s2lic.entropy.range_coder import load_ans
from s2lic.errors import TruncatedError, UsageError

TOTAL = 1 << 16
CODERS = {"twin": rans, "compiled": load_ans()}
RARE = [0, 1, TOTAL, TOTAL]  # symbol 0 costs 16 bits, symbol 1 next to none


@st.composite
def coded_rows(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Ragged rows and at least three symbols within them, as a coder call takes them."""
    cuts = st.lists(st.integers(1, TOTAL - 1), min_size=1, max_size=40, unique=True)
    cdfs = [[0, *sorted(inner), TOTAL, TOTAL] for inner in draw(st.lists(cuts, min_size=1))]
    offsets = [draw(st.integers(-500, 500)) for _ in cdfs]
    indexes = draw(st.lists(st.integers(0, len(cdfs) - 1), min_size=3, max_size=60))
    symbols = [offsets[i] + draw(st.integers(0, len(cdfs[i]) - 3)) for i in indexes]
    sizes = [len(cdf) for cdf in cdfs]
    return {"symbols": symbols, "rows": [indexes, cdfs, sizes, offsets]}


def encode(coder: Any, case: dict[str, list[Any]]) -> bytes:
    encoder = coder.BufferedRansEncoder()
    encoder.encode_with_indexes(case["symbols"], *case["rows"])
    return encoder.flush()


def decoder_of(coder: Any, stream: bytes, count: int) -> Any:
    decoder = coder.RansDecoder()
    decoder.set_stream(stream + bytes(8 + 4 * count))
    return decoder


@settings(max_examples=60, deadline=None)
@given(coded_rows())
def test_twin_and_compiled_coder_write_the_same_bytes_and_read_each_other(
    case: dict[str, list[Any]],
) -> None:
    stream = encode(rans, case)
    assert stream == encode(load_ans(), case)
    for coder in CODERS.values():
        decoder = decoder_of(coder, stream, len(case["symbols"]))
        assert decoder.decode_stream(*case["rows"]) == case["symbols"]


@settings(max_examples=30, deadline=None)
@given(coded_rows(), st.integers(0, 60))
@pytest.mark.parametrize("coder", CODERS.values(), ids=CODERS)
def test_several_calls_code_the_same_as_one(coder: Any, case: dict[str, list[Any]], cut: int) -> None:
    indexes, *tables = case["rows"]
    encoder = coder.BufferedRansEncoder()
    encoder.encode_with_indexes(case["symbols"][:cut], indexes[:cut], *tables)
    encoder.encode_with_indexes(case["symbols"][cut:], indexes[cut:], *tables)
    stream = encoder.flush()
    assert stream == encode(coder, case)
    decoder = decoder_of(coder, stream, len(indexes))
    first = decoder.decode_stream(indexes[:cut], *tables)
    assert first + decoder.decode_stream(indexes[cut:], *tables) == case["symbols"]


@given(st.binary(min_size=8, max_size=64), st.integers(2, 2000))
@settings(max_examples=100, deadline=None)
def test_both_coders_read_the_same_noise_from_any_bytes(stream: bytes, cut: int) -> None:
    stream = stream[: len(stream) // 4 * 4]
    row = [0, 1, cut, TOTAL - 3, TOTAL, TOTAL]
    rows = ([0] * 50, [row], [len(row)], [-2])
    read = [decoder_of(c, stream, 50).decode_stream(*rows) for c in CODERS.values()]
    assert read[0] == read[1]
    assert set(read[0]) <= {-2, -1, 0, 1}


@pytest.mark.parametrize("coder", CODERS.values(), ids=CODERS)
def test_a_symbol_of_frequency_f_costs_16_minus_log2_f_bits(coder: Any) -> None:
    rows = ([0] * 4000, [[0, 1 << 4, TOTAL, TOTAL]], [4], [0])
    stream = encode(coder, {"symbols": [0] * 4000, "rows": list(rows)})
    assert 4000 * (16 - 4) / 8 <= len(stream) <= 4000 * (16 - 4) / 8 + 8


@pytest.mark.parametrize("coder", CODERS.values(), ids=CODERS)
def test_golden_words(coder: Any) -> None:
    rows = ([0, 0, 1, 1, 0], [[0, 1, 60000, TOTAL, TOTAL], RARE], [5, 4], [-1, 7])
    case = {"symbols": [-1, 1, 7, 8, 0], "rows": list(rows)}
    assert encode(coder, case).hex() == "000024770600000020ef8270"


def test_an_empty_twin_flushes_its_lowest_state() -> None:
    assert rans.BufferedRansEncoder().flush() == (1 << 31).to_bytes(8, "little")


@pytest.mark.parametrize("symbol", [-1, 2])
def test_the_twin_refuses_a_symbol_beyond_its_row(symbol: int) -> None:
    with pytest.raises(UsageError, match="beyond row"):
        rans.BufferedRansEncoder().encode_with_indexes([symbol], [0], [RARE], [4], [0])


def test_the_twin_refuses_a_stream_below_8_bytes() -> None:
    with pytest.raises(TruncatedError):
        rans.RansDecoder().set_stream(bytes(7))


def test_the_twin_names_a_stream_that_runs_out() -> None:
    decoder = rans.RansDecoder()
    decoder.set_stream(bytes(12))
    with pytest.raises(TruncatedError):
        decoder.decode_stream([0] * 3, [RARE], [4], [0])
