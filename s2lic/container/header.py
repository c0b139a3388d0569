"""The header: one table of fields that the writer, the reader and `s2lic info` use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from s2lic.container.varint import read_varint, write_varint
from s2lic.errors import HeaderError, OverrunError, RetiredArithmeticError, UnsupportedFeatureError, UsageError

# The size of the state of the range coder, with which every payload begins.
STATE_BYTES = 8


@dataclass(frozen=True)
class Field:
    """One field of the header: its layout, its allowed values and their meanings."""

    name: str
    size: int  # in bytes, little-endian; 0 for a varint
    low: int = 0
    high: int = 2**31 - 1
    meanings: Mapping[int, str] = field(default_factory=dict)
    scale: int = 1
    raw: bool = False

    def fault(self, value: int | bytes) -> str | None:
        """What is wrong with `value`, or None."""
        if isinstance(value, bytes):
            fits = self.raw and len(value) == self.size
        else:
            fits = not self.raw and self.low <= value <= self.high
        return None if fits else f"header field {self.name} cannot be {value!r}"

    def novelty(self, value: int | bytes) -> str | None:
        """A message for a value that only a later release may know, or None."""
        if not self.meanings or value in self.meanings:
            return None
        return f"this release does not know {self.name} {value!r}"

    def shown(self, value: int | bytes) -> int | float | str:
        """The value for people to read."""
        if isinstance(value, bytes):
            return value.hex()
        if self.meanings:
            return self.meanings[value]
        return value if self.scale == 1 else value / self.scale


# Numbers in these three are assigned by hand and never reused.
EXACT_ARITHMETIC = 2
ARITHMETIC = {EXACT_ARITHMETIC: "exact"}
# Numbers of releases before 1.0.
RETIRED_ARITHMETIC = {1: "float64"}
ONE_STREAM, TILED = 0, 1
TILING = {ONE_STREAM: "one stream", TILED: "tiles"}
COLOUR = {0: "RGB", 1: "grey"}

FIELDS = (
    Field("width", 0, low=1),
    Field("height", 0, low=1),
    Field("model_id", 8, raw=True),
    Field("quality", 2, high=10000, scale=100),
    Field("arithmetic", 1, high=255, meanings=ARITHMETIC),
    Field("tiling", 1, high=255, meanings=TILING),
    Field("colour", 1, high=255, meanings=COLOUR),
    Field("symbol_crc32", 4, high=2**32 - 1),
)


@dataclass(frozen=True)
class Header:
    """The header of a file. Its attributes are the rows of `FIELDS`.

    Raises UsageError for an invalid value.
    """

    width: int
    height: int
    model_id: bytes
    quality: int
    arithmetic: int
    tiling: int
    colour: int
    symbol_crc32: int

    def __post_init__(self) -> None:
        for row in FIELDS:
            value = getattr(self, row.name)
            if fault := row.fault(value) or row.novelty(value):
                raise UsageError(fault)


def describe(header: Header) -> dict[str, int | float | str]:
    """Every header field by name, for people to read."""
    return {row.name: row.shown(getattr(header, row.name)) for row in FIELDS}


def write_fields(header: Header) -> bytes:
    """The content of the header box."""
    return b"".join(_write_field(row, getattr(header, row.name)) for row in FIELDS)


def read_fields(box: bytes) -> Header:
    """The header in the content of its box.

    Raises HeaderError, OverrunError, NumberSpellingError, RetiredArithmeticError or UnsupportedFeatureError.
    """
    values: dict[str, int | bytes] = {}
    position = 0
    for row in FIELDS:
        value, position = _read_field(row, box, position)
        if fault := row.fault(value):
            raise HeaderError(fault)
        _check_known(row, value)
        values[row.name] = value
    if position != len(box):
        raise HeaderError(f"the header is {len(box) - position} bytes too long")
    return Header(**values)  # type: ignore[arg-type]  # fault() has checked the types


def _check_known(row: Field, value: int | bytes) -> None:
    if row.name == "arithmetic" and value in RETIRED_ARITHMETIC:
        raise RetiredArithmeticError(
            f"the file was coded in arithmetic profile {value!r} ({RETIRED_ARITHMETIC[int(value)]}), which this "
            "release no longer reads: decode it with s2lic 0.1 and encode the picture again"
        )
    if fault := row.novelty(value):
        raise UnsupportedFeatureError(f"{fault}: a newer s2lic is needed")


def _write_field(row: Field, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.to_bytes(row.size, "little") if row.size else write_varint(value)


def _read_field(row: Field, box: bytes, position: int) -> tuple[int | bytes, int]:
    if not row.size:
        return read_varint(box, position, len(box))
    stop = position + row.size
    if stop > len(box):
        raise OverrunError(f"the header ends within {row.name}")
    value = box[position:stop]
    return (value if row.raw else int.from_bytes(value, "little")), stop
