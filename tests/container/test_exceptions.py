from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2lic.container.exceptions import ROW, SYMBOL, CodingException, pack_exceptions, unpack_exceptions
from s2lic.container.varint import write_varint
from s2lic.errors import CorruptError, ExceptionListError, NumberSpellingError, OverrunError, UsageError

COUNT = 100_000
positions = st.integers(0, COUNT - 1)
rows = st.dictionaries(positions, st.integers(0, 65535))
symbols = st.dictionaries(positions, st.integers(-32768, 32767))


@given(rows, symbols)
def test_exceptions_come_back_in_order_of_kind_and_position(
    of_rows: dict[int, int], of_symbols: dict[int, int]
) -> None:
    entries = [CodingException(SYMBOL, *item) for item in of_symbols.items()]
    entries += [CodingException(ROW, *item) for item in of_rows.items()]
    assert unpack_exceptions(pack_exceptions(entries), COUNT) == tuple(sorted(entries))


@given(st.binary(max_size=40))
def test_any_bytes_are_refused_or_the_one_spelling_of_their_list(data: bytes) -> None:
    try:
        entries = unpack_exceptions(data, 200)
    except CorruptError:
        return
    assert pack_exceptions(entries) == data


def test_golden_bytes() -> None:
    entries = [
        CodingException(SYMBOL, 5, -300),
        CodingException(ROW, 0, 191),
        CodingException(ROW, 1, 7),
    ]
    assert pack_exceptions(entries).hex() == "020100bf01000705d704"


def test_no_exceptions_take_no_bytes() -> None:
    assert pack_exceptions([]) == b""
    assert unpack_exceptions(b"", 0) == ()


def packed(*numbers: int) -> bytes:
    return b"".join(map(write_varint, numbers))


NONSENSE = {
    "list of none": (packed(0, 0), ExceptionListError),
    "more than symbols": (packed(11, 0) + bytes(22), ExceptionListError),
    "vast count": (packed(2**60, 0), ExceptionListError),
    "count beyond the data": (packed(4, 4) + bytes(15), OverrunError),
    "no second count": (packed(1), OverrunError),
    "cut within an entry": (packed(1, 0, 3) + b"\x80", OverrunError),
    "position beyond the last symbol": (packed(1, 0, 10, 0), ExceptionListError),
    "later position beyond the last symbol": (packed(2, 0, 5, 0, 4, 0), ExceptionListError),
    "vast gap": (packed(1, 0, 2**62, 0), ExceptionListError),
    "value beyond 16 bits": (packed(0, 1, 0, 65536), ExceptionListError),
    "padded number": (packed(1, 0, 3) + b"\x80\x00", NumberSpellingError),
    "trailing byte": (packed(1, 0, 3, 4, 0), ExceptionListError),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_by_name(name: str) -> None:
    data, error = NONSENSE[name]
    with pytest.raises(error):
        unpack_exceptions(data, 10)


def test_a_cut_list_never_passes_for_a_whole_one() -> None:
    data = pack_exceptions([CodingException(ROW, 3, 500), CodingException(SYMBOL, 900, -70)])
    for length in range(1, len(data)):
        with pytest.raises(CorruptError):
            unpack_exceptions(data[:length], COUNT)


@pytest.mark.parametrize(
    "entries",
    [
        [CodingException(ROW, 4, 1), CodingException(ROW, 4, 2)],
        [CodingException(ROW, 4, 65536)],
        [CodingException(ROW, 4, -1)],
        [CodingException(SYMBOL, 4, 32768)],
        [CodingException(SYMBOL, -1, 0)],
    ],
    ids=["twice at one position", "row too high", "row negative", "17 bits", "before the start"],
)
def test_what_cannot_be_written_is_the_callers_fault(entries: list[CodingException]) -> None:
    with pytest.raises(UsageError):
        pack_exceptions(entries)
