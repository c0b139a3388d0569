from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2lic.container.exceptions import CodingException, pack_exceptions, unpack_exceptions
from s2lic.container.varint import write_varint
from s2lic.errors import CorruptError, ExceptionListError, NumberSpellingError, OverrunError, UsageError

COUNT = 100_000
positions = st.integers(0, COUNT - 1)
symbols = st.dictionaries(positions, st.integers(-32768, 32767))


@given(symbols)
def test_exceptions_come_back_in_order_of_position(found: dict[int, int]) -> None:
    entries = [CodingException(*item) for item in found.items()]
    assert unpack_exceptions(pack_exceptions(entries), COUNT) == tuple(sorted(entries))


@given(st.binary(max_size=40))
def test_any_bytes_are_refused_or_the_one_spelling_of_their_list(data: bytes) -> None:
    try:
        entries = unpack_exceptions(data, 200)
    except CorruptError:
        return
    assert pack_exceptions(entries) == data


def test_golden_bytes() -> None:
    entries = [CodingException(5, -300), CodingException(0, 95), CodingException(1, 7)]
    assert pack_exceptions(entries).hex() == "0300be01000e03d704"


def test_no_exceptions_take_no_bytes() -> None:
    assert pack_exceptions([]) == b""
    assert unpack_exceptions(b"", 0) == ()


def packed(*numbers: int) -> bytes:
    return b"".join(map(write_varint, numbers))


NONSENSE = {
    "list of none": (packed(0), ExceptionListError),
    "more than symbols": (packed(11) + bytes(22), ExceptionListError),
    "vast count": (packed(2**60), ExceptionListError),
    "count beyond the data": (packed(8) + bytes(15), OverrunError),
    "cut within an entry": (packed(1, 3) + b"\x80", OverrunError),
    "position beyond the last symbol": (packed(1, 10, 0), ExceptionListError),
    "later position beyond the last symbol": (packed(2, 5, 0, 4, 0), ExceptionListError),
    "vast gap": (packed(1, 2**62, 0), ExceptionListError),
    "value beyond 16 bits": (packed(1, 0, 65536), ExceptionListError),
    "padded number": (packed(1, 3) + b"\x80\x00", NumberSpellingError),
    "trailing byte": (packed(1, 3, 4, 0), ExceptionListError),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_by_name(name: str) -> None:
    data, error = NONSENSE[name]
    with pytest.raises(error):
        unpack_exceptions(data, 10)


def test_a_cut_list_never_passes_for_a_whole_one() -> None:
    data = pack_exceptions([CodingException(3, 500), CodingException(900, -70)])
    for length in range(1, len(data)):
        with pytest.raises(CorruptError):
            unpack_exceptions(data[:length], COUNT)


@pytest.mark.parametrize(
    "entries",
    [
        [CodingException(4, 1), CodingException(4, 2)],
        [CodingException(4, 32768)],
        [CodingException(4, -32769)],
        [CodingException(-1, 0)],
    ],
    ids=["twice at one position", "17 bits", "17 bits, negative", "before the start"],
)
def test_what_cannot_be_written_is_the_callers_fault(entries: list[CodingException]) -> None:
    with pytest.raises(UsageError):
        pack_exceptions(entries)
