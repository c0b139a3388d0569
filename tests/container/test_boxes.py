"""The container: every file that is written is read, every other file is refused by name."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2lic import errors
from s2lic.container.boxes import (
    EXCEPTIONS,
    EXTRAS,
    HEADER,
    MAGIC,
    OPTIONAL_BIT,
    PAYLOAD,
    TILES,
    VERSION,
    Container,
    Header,
    Limits,
    describe,
    pack,
    read_header,
    unpack,
)
from s2lic.container.header import FIELDS, write_fields
from s2lic.container.varint import MAX_BYTES, read_varint, write_varint

PLAIN = Header(
    width=768,
    height=512,
    model_id=bytes.fromhex("0123456789abcdef"),
    quality=5000,
    arithmetic=2,
    tiling=0,
    colour=0,
    symbol_crc32=0xDEADBEEF,
)
NO_LIMITS = Limits(max_pixels=None)

headers = st.builds(
    Header,
    width=st.integers(1, 2**31 - 1),
    height=st.integers(1, 2**31 - 1),
    model_id=st.binary(min_size=8, max_size=8),
    quality=st.integers(0, 10000),
    arithmetic=st.just(2),
    tiling=st.just(0),
    colour=st.integers(0, 1),
    symbol_crc32=st.integers(0, 2**32 - 1),
)
extras = st.dictionaries(st.sampled_from(list(EXTRAS.values())), st.binary(min_size=1))
containers = st.builds(
    Container, header=headers, payload=st.binary(min_size=1), exceptions=st.binary(), extras=extras
) | st.builds(
    Container,
    header=headers.map(lambda header: dataclasses.replace(header, tiling=1)),
    payload=st.binary(min_size=1),
    exceptions=st.binary(),
    tiles=st.binary(min_size=1),
)


def box(box_id: int, content: bytes) -> bytes:
    return bytes([box_id]) + write_varint(len(content)) + content


def stamped(boxes: bytes, version: int = VERSION) -> bytes:
    """A file of any boxes whose checksum holds, as an attacker would make it."""
    body = MAGIC + bytes([version]) + boxes
    return body + zlib.crc32(body).to_bytes(4, "little")


def header_with(**changes: int | bytes) -> bytes:
    """A header box whose fields nothing has checked."""
    content = b""
    for row in FIELDS:
        value = changes.get(row.name, getattr(PLAIN, row.name))
        if isinstance(value, bytes):
            content += value
        else:
            content += value.to_bytes(row.size, "little") if row.size else write_varint(value)
    return box(HEADER, content)


HEADER_BOX = box(HEADER, write_fields(PLAIN))
PAYLOAD_BOX = box(PAYLOAD, b"\x01\x02\x03\x04")
PLAIN_FILE = pack(Container(PLAIN, b"\x01\x02\x03\x04"))


@given(containers)
def test_what_is_packed_is_unpacked(container: Container) -> None:
    assert unpack(pack(container), NO_LIMITS) == container


def test_a_plain_file_is_these_bytes() -> None:
    assert PLAIN_FILE == bytes.fromhex(
        "b753324c 0101 15 8006 8004 0123456789abcdef 8813 02 00 00 efbeadde03 04 01020304aba57555"
    )


def test_the_example_in_the_documentation_is_that_file() -> None:
    text = (Path(__file__).parents[2] / "docs" / "bitstream.md").read_text()
    example = text.partition("### An example")[2].partition("The container costs")[0]
    digits = re.findall(r"^    +((?:[0-9a-f]{2}\b ?)+)", example, re.MULTILINE)
    assert bytes.fromhex(" ".join(digits)) == PLAIN_FILE


def test_the_overhead_of_a_plain_photo_is_at_most_40_bytes() -> None:
    payload = bytes(2**21 - 1)
    largest = dataclasses.replace(PLAIN, width=2**14 - 1, height=2**14 - 1)
    assert len(pack(Container(largest, payload))) - len(payload) <= 40


def test_the_field_table_and_the_header_name_the_same_fields_in_the_same_order() -> None:
    assert [row.name for row in FIELDS] == [f.name for f in dataclasses.fields(Header)]


def test_a_header_is_described_in_words() -> None:
    assert describe(PLAIN) == {
        "width": 768,
        "height": 512,
        "model_id": "0123456789abcdef",
        "quality": 50.0,
        "arithmetic": "exact",
        "tiling": "one stream",
        "colour": "RGB",
        "symbol_crc32": 0xDEADBEEF,
    }


@given(containers, st.data())
def test_any_flip_of_a_byte_is_refused_by_name(container: Container, data: st.DataObject) -> None:
    packed = bytearray(pack(container))
    position = data.draw(st.integers(0, len(packed) - 1))
    packed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(errors.BitstreamError):
        unpack(bytes(packed), NO_LIMITS)


@given(containers, st.data())
def test_any_cut_is_told_as_a_cut(container: Container, data: st.DataObject) -> None:
    packed = pack(container)
    with pytest.raises(errors.TruncatedError):
        unpack(packed[: data.draw(st.integers(0, len(packed) - 1))], NO_LIMITS)


def test_every_cut_of_a_file_with_every_box_is_told_as_a_cut() -> None:
    boxes = HEADER_BOX + box(0x90, b"later") + box(EXCEPTIONS, b"list") + PAYLOAD_BOX
    whole = stamped(boxes)
    assert unpack(whole).exceptions == b"list"
    for length in range(len(whole)):
        with pytest.raises(errors.TruncatedError):
            unpack(whole[:length])


@given(st.data())
def test_a_restamped_mutation_is_a_valid_header_or_a_named_error(data: st.DataObject) -> None:
    body = bytearray(PLAIN_FILE[:-4])
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.sampled_from(["flip", "insert", "delete"])):
            case "flip":
                body[position] ^= data.draw(st.integers(1, 255))
            case "insert":
                body[position:position] = data.draw(st.binary(min_size=1, max_size=4))
            case "delete" if len(body) > 1:
                del body[position]
    try:
        container = unpack(bytes(body) + zlib.crc32(body).to_bytes(4, "little"))
    except errors.BitstreamError:
        return
    assert dataclasses.replace(container.header) == container.header


@given(st.binary(max_size=64))
def test_restamped_noise_behind_the_version_is_refused_by_name(noise: bytes) -> None:
    with pytest.raises(errors.BitstreamError):
        unpack(stamped(noise))


def test_the_header_alone_can_be_read_from_a_picture_of_any_size() -> None:
    huge = dataclasses.replace(PLAIN, width=2**31 - 1, height=2**31 - 1)
    assert read_header(pack(Container(huge, b"x"))) == huge


def test_other_data_is_not_an_s2lic_file() -> None:
    with pytest.raises(errors.NotS2licError):
        unpack(b"\x89PNG\r\n\x1a\n" + bytes(64))


def test_an_empty_file_is_truncated() -> None:
    with pytest.raises(errors.TruncatedError):
        unpack(b"")


def test_a_newer_format_version_is_told_before_the_checksum() -> None:
    with pytest.raises(errors.NewerVersionError, match="version 2"):
        unpack(PLAIN_FILE[:4] + b"\x02" + PLAIN_FILE[5:])


def test_format_version_zero_does_not_exist() -> None:
    with pytest.raises(errors.NoSuchVersionError, match="version 0"):
        unpack(stamped(HEADER_BOX + PAYLOAD_BOX, version=0))


def test_damage_within_the_payload_is_a_checksum_error() -> None:
    with pytest.raises(errors.FileChecksumError):
        unpack(PLAIN_FILE[:-5] + b"\xff" + PLAIN_FILE[-4:])


def test_bytes_behind_the_file_are_a_checksum_error() -> None:
    with pytest.raises(errors.FileChecksumError, match="follow the payload"):
        unpack(PLAIN_FILE + b"\n")


def test_more_pixels_than_the_limit_are_refused_and_the_limit_can_be_raised() -> None:
    with pytest.raises(errors.PixelLimitError, match="max_pixels"):
        unpack(PLAIN_FILE, Limits(max_pixels=768 * 512 - 1))
    assert unpack(PLAIN_FILE, Limits(max_pixels=768 * 512)).header == PLAIN


def test_a_contradiction_about_tiles_is_told_before_the_limit() -> None:
    contradicting = dataclasses.replace(PLAIN, tiling=1, symbol_crc32=0)
    data = stamped(box(HEADER, write_fields(contradicting)) + PAYLOAD_BOX)
    with pytest.raises(errors.BoxesError):
        unpack(data, Limits(max_pixels=1))


@pytest.mark.parametrize(
    ("pixels", "limit", "fits"),
    [
        (2**22, 2**26, True),
        (2**22 + 1, 2**26, False),
        (2**22 + 1, 2**26 + 16, True),
        (2**22 + 1, None, True),
        (2**22, 2**22, True),
        (2**21, 2**21 - 1, False),
    ],
)
def test_one_stream_may_have_a_sixteenth_of_the_pixels_and_as_many_as_a_tile(
    pixels: int, limit: int | None, fits: bool
) -> None:
    data = pack(Container(dataclasses.replace(PLAIN, width=pixels, height=1), b"1234"))
    if fits:
        assert unpack(data, Limits(limit)).header.width == pixels
        return
    with pytest.raises(errors.PixelLimitError, match="in one stream") as told:
        unpack(data, Limits(limit))
    enough = int(re.findall(r"to (\d+) if", str(told.value))[0])
    assert unpack(data, Limits(enough)).header.width == pixels


def test_an_unknown_optional_box_is_skipped() -> None:
    assert unpack(stamped(HEADER_BOX + box(0x90, b"") + PAYLOAD_BOX)).header == PLAIN


def test_an_unknown_required_box_is_refused() -> None:
    with pytest.raises(errors.UnsupportedFeatureError, match="box 0x10"):
        unpack(stamped(HEADER_BOX + box(0x10, b"new") + PAYLOAD_BOX))


@pytest.mark.parametrize("field", ["arithmetic", "tiling", "colour"])
def test_an_unknown_header_value_is_refused(field: str) -> None:
    with pytest.raises(errors.UnsupportedFeatureError, match=field):
        unpack(stamped(header_with(**{field: 255}) + PAYLOAD_BOX))


def test_a_file_of_the_first_arithmetic_profile_is_refused_with_the_cure() -> None:
    with pytest.raises(errors.RetiredArithmeticError, match=r"profile 1 \(float64\).*encode the picture again"):
        unpack(stamped(header_with(arithmetic=1) + PAYLOAD_BOX))


@pytest.mark.parametrize(
    ("field", "value"),
    [("width", 0), ("height", 0), ("width", 2**31), ("height", 2**62), ("quality", 10001)],
)
def test_a_header_value_out_of_range_is_a_header_error(field: str, value: int) -> None:
    with pytest.raises(errors.HeaderError, match=field):
        unpack(stamped(header_with(**{field: value}) + PAYLOAD_BOX))


CORRUPT = {
    "no boxes": (b"", errors.BoxesError),
    "no payload": (HEADER_BOX, errors.BoxesError),
    "no header": (PAYLOAD_BOX, errors.BoxesError),
    "two headers": (HEADER_BOX + HEADER_BOX + PAYLOAD_BOX, errors.BoxesError),
    "tiles that the header does not speak of": (HEADER_BOX + box(TILES, b"a") + PAYLOAD_BOX, errors.BoxesError),
    "no tiles where the header says so": (header_with(tiling=1) + PAYLOAD_BOX, errors.BoxesError),
    "two Exif boxes": (HEADER_BOX + box(0x82, b"a") * 2 + PAYLOAD_BOX, errors.BoxesError),
    "empty Exif": (HEADER_BOX + box(0x82, b"") + PAYLOAD_BOX, errors.BoxesError),
    "two exceptions boxes": (HEADER_BOX + box(EXCEPTIONS, b"a") * 2 + PAYLOAD_BOX, errors.BoxesError),
    "two unknown boxes of one id": (HEADER_BOX + box(0x90, b"a") * 2 + PAYLOAD_BOX, errors.BoxesError),
    "exceptions behind the payload": (HEADER_BOX + PAYLOAD_BOX + box(EXCEPTIONS, b"a"), errors.BoxesError),
    "trailing byte": (HEADER_BOX + PAYLOAD_BOX + b"\0", errors.BoxesError),
    "empty exceptions": (HEADER_BOX + box(EXCEPTIONS, b"") + PAYLOAD_BOX, errors.BoxesError),
    "empty payload": (HEADER_BOX + box(PAYLOAD, b""), errors.BoxesError),
    "header too short": (box(HEADER, write_fields(PLAIN)[:-1]) + PAYLOAD_BOX, errors.OverrunError),
    "header too long": (box(HEADER, write_fields(PLAIN) + b"\0") + PAYLOAD_BOX, errors.HeaderError),
    "header ends within a number": (box(HEADER, b"\x80") + PAYLOAD_BOX, errors.OverrunError),
    "length without its last byte": (HEADER_BOX + bytes([PAYLOAD, 0x80]), errors.OverrunError),
    "length past the end": (HEADER_BOX + bytes([PAYLOAD, 0x05]) + b"1234", errors.OverrunError),
    "length of 2**62": (HEADER_BOX + bytes([PAYLOAD]) + write_varint(2**62) + b"1234", errors.OverrunError),
    "length spelled too long": (HEADER_BOX + bytes([PAYLOAD, 0x84, 0x00]) + b"1234", errors.NumberSpellingError),
    "length of ten bytes": (
        HEADER_BOX + bytes([PAYLOAD]) + b"\x80" * 9 + b"\x01" + b"1234",
        errors.NumberSpellingError,
    ),
}


@pytest.mark.parametrize(("boxes", "error"), CORRUPT.values(), ids=CORRUPT.keys())
def test_a_restamped_file_that_no_writer_makes_is_refused_by_name(boxes: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        unpack(stamped(boxes))


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 0},
        {"height": 2**31},
        {"quality": 10001},
        {"model_id": b"short"},
        {"arithmetic": 1},
        {"colour": b"\0"},
        {"symbol_crc32": -1},
    ],
    ids=str,
)
def test_a_header_that_no_file_can_hold_is_the_callers_fault(changes: dict[str, int]) -> None:
    with pytest.raises(errors.UsageError):
        dataclasses.replace(PLAIN, **changes)


@pytest.mark.parametrize(("tiling", "tiles"), [(0, b"tiles"), (1, b"")])
def test_a_list_of_tiles_against_the_header_is_the_callers_fault(tiling: int, tiles: bytes) -> None:
    header = dataclasses.replace(PLAIN, tiling=tiling)
    with pytest.raises(errors.UsageError, match="only then"):
        pack(Container(header, b"words", tiles=tiles))


@pytest.mark.parametrize("extras", [{"exif": b""}, {"comment": b"text"}], ids=["empty", "unknown"])
def test_an_extra_without_a_box_is_the_callers_fault(extras: dict[str, bytes]) -> None:
    with pytest.raises(errors.UsageError, match="no box"):
        pack(Container(PLAIN, b"words", extras=extras))


def test_extras_stand_between_header_and_payload_and_a_reader_may_skip_them() -> None:
    whole = pack(Container(PLAIN, b"\x01\x02\x03\x04", extras={"xmp": b"x", "icc_profile": b"i"}))
    assert whole == stamped(HEADER_BOX + box(0x81, b"i") + box(0x83, b"x") + PAYLOAD_BOX)
    assert all(box_id & OPTIONAL_BIT for box_id in EXTRAS)


def test_a_file_without_a_payload_is_the_callers_fault() -> None:
    with pytest.raises(errors.UsageError, match="payload"):
        pack(Container(PLAIN, b""))


@given(st.integers(0, 2 ** (7 * MAX_BYTES) - 1))
def test_a_varint_takes_seven_bits_a_byte_and_reads_back(value: int) -> None:
    written = write_varint(value)
    assert len(written) == max(1, -(-value.bit_length() // 7))
    assert read_varint(b"\xff" + written, 1, 1 + len(written)) == (value, 1 + len(written))


def test_reading_a_header_imports_neither_torch_nor_numpy() -> None:
    script = (
        "import sys, s2lic.container.boxes as b\n"
        "b.read_header(bytes.fromhex(sys.argv[1]))\n"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script, PLAIN_FILE.hex()], check=True)
