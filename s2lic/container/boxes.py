"""The container: magic, version, numbered boxes and a checksum, as specified in `docs/bitstream.md`."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from s2lic.container.header import TILED, Header, describe, read_fields, write_fields
from s2lic.container.tiles import STREAM_PIXELS
from s2lic.container.varint import read_varint, write_varint
from s2lic.defaults import DEFAULT_MAX_PIXELS
from s2lic.errors import (
    BoxesError,
    CorruptError,
    FileChecksumError,
    NewerVersionError,
    NoSuchVersionError,
    NotS2licError,
    OverrunError,
    PixelLimitError,
    TruncatedError,
    UnsupportedFeatureError,
    UsageError,
)

__all__ = ["Container", "Header", "Limits", "describe", "pack", "read_header", "unpack"]

MAGIC = b"\xb7S2L"
VERSION = 1
STREAM_SHARE = 16

# Box ids are assigned by hand and never reused. Bit 7 marks a box that a reader may skip.
HEADER, EXCEPTIONS, PAYLOAD, TILES, ROI = 0x01, 0x02, 0x03, 0x04, 0x05
REQUIRED = (HEADER, EXCEPTIONS, PAYLOAD, TILES, ROI)
OPTIONAL_BIT = 0x80

# Alpha and metadata, by Pillow's names.
EXTRAS = {0x81: "icc_profile", 0x82: "exif", 0x83: "xmp", 0x84: "alpha"}

_BOXES_START = len(MAGIC) + 1
_CHECKSUM_BYTES = 4


@dataclass(frozen=True)
class Container:
    """The parts of a file.

    Attributes:
        header: The header.
        payload: The rANS words.
        exceptions: The list of exceptions.
        tiles: The list of tiles.
        extras: The boxes of `EXTRAS` by name.
        roi: The map of regions.
    """

    header: Header
    payload: bytes
    exceptions: bytes = b""
    tiles: bytes = b""
    extras: Mapping[str, bytes] = field(default_factory=dict)
    roi: bytes = b""


@dataclass(frozen=True)
class Limits:
    """The limits of a reader on untrusted files. None means no limit."""

    max_pixels: int | None = DEFAULT_MAX_PIXELS

    def pixels(self, tiled: bool) -> int | None:
        """The limit of a picture. In one stream it is a sixteenth, but at least 2^22."""
        if self.max_pixels is None or tiled:
            return self.max_pixels
        return min(self.max_pixels, max(STREAM_PIXELS, self.max_pixels // STREAM_SHARE))


def pack(container: Container) -> bytes:
    """The bytes of the file. Raises UsageError for parts that do not belong in a file or not together."""
    _check_parts(container)
    boxes = [_box(HEADER, write_fields(container.header))]
    boxes += [_box(box_id, container.extras[name]) for box_id, name in EXTRAS.items() if name in container.extras]
    if container.tiles:
        boxes.append(_box(TILES, container.tiles))
    if container.roi:
        boxes.append(_box(ROI, container.roi))
    if container.exceptions:
        boxes.append(_box(EXCEPTIONS, container.exceptions))
    boxes.append(_box(PAYLOAD, container.payload))
    body = MAGIC + bytes([VERSION]) + b"".join(boxes)
    return body + zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "little")


def _check_parts(container: Container) -> None:
    if not container.payload:
        raise UsageError("a file without a payload cannot be written")
    if bool(container.tiles) != (container.header.tiling == TILED):
        raise UsageError("a file must have a list of tiles if its header says so, and only then")
    for name, content in container.extras.items():
        if name not in EXTRAS.values() or not content:
            raise UsageError(f"there is no box for {len(content)} bytes of {name}")


def unpack(data: bytes, limits: Limits = Limits()) -> Container:
    """The parts of a file. Each length is checked before it is used.

    Raises NotS2licError, TruncatedError, NewerVersionError, NoSuchVersionError, FileChecksumError, OverrunError,
    NumberSpellingError, BoxesError, UnsupportedFeatureError, HeaderError or PixelLimitError.
    """
    _check_version(data)
    _check_sum(data)
    spans = _check_boxes(data)
    header = read_fields(data[slice(*spans[HEADER])])
    if (TILES in spans) != (header.tiling == TILED):
        raise BoxesError("the header and the list of tiles contradict each other")
    _check_limits(header, limits)
    exceptions, tiles, roi = (data[slice(*spans.get(box, (0, 0)))] for box in (EXCEPTIONS, TILES, ROI))
    extras = {name: data[slice(*spans[box_id])] for box_id, name in EXTRAS.items() if box_id in spans}
    return Container(header, data[slice(*spans[PAYLOAD])], exceptions, tiles, extras, roi)


def read_header(data: bytes) -> Header:
    """The header of a file, whatever its size in pixels. Raises as `unpack` does, but never PixelLimitError."""
    return unpack(data, Limits(max_pixels=None)).header


def _check_version(data: bytes) -> None:
    if not data.startswith(MAGIC):
        if MAGIC.startswith(data):
            raise TruncatedError(f"the file is cut off: only {len(data)} bytes are left")
        raise NotS2licError("this is not an s2lic file: it does not begin with the magic bytes; s2lic encode makes one")
    if len(data) < _BOXES_START:
        raise TruncatedError("the file is cut off before the format version")
    version = data[len(MAGIC)]
    if version > VERSION:
        raise NewerVersionError(
            f"the file has format version {version}, this release reads up to {VERSION}: a newer s2lic is needed"
        )
    if version < VERSION:
        raise NoSuchVersionError(f"there is no format version {version}")


def _check_sum(data: bytes) -> None:
    body = memoryview(data)[:-_CHECKSUM_BYTES]
    if len(data) < _BOXES_START + _CHECKSUM_BYTES:
        raise TruncatedError("the file is cut off before its first box")
    if zlib.crc32(body) == int.from_bytes(data[-_CHECKSUM_BYTES:], "little"):
        return
    _tell_cut_from_damage(data)


def _tell_cut_from_damage(data: bytes) -> None:
    """Raise TruncatedError if boxes are longer than the file, else FileChecksumError."""
    try:
        found = {box_id for box_id, _, _ in _boxes(data)}
    except OverrunError as error:
        raise TruncatedError(f"the file is cut off: {error}") from error
    except CorruptError as error:
        raise FileChecksumError(f"the file is damaged: {error}") from error
    if PAYLOAD not in found:
        raise TruncatedError("the file is cut off before its payload")
    raise FileChecksumError("the file is damaged: its checksum does not match its bytes")


def _boxes(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each box as (id, start, stop) of its content, up to the payload, which is the last."""
    position, end = _BOXES_START, len(data) - _CHECKSUM_BYTES
    box_id = None
    while position < end and box_id != PAYLOAD:
        box_id = data[position]
        length, start = read_varint(data, position + 1, end)
        position = start + length
        if position > end:
            raise OverrunError(f"box 0x{box_id:02x} lacks {position - end} bytes of {length}")
        yield box_id, start, position
    if position < end:
        raise BoxesError(f"{end - position} bytes follow the payload")


def _check_boxes(data: bytes) -> dict[int, tuple[int, int]]:
    spans: dict[int, tuple[int, int]] = {}
    for box_id, start, stop in _boxes(data):
        if not spans and box_id != HEADER:
            raise BoxesError("the first box is not the header")
        if box_id in spans:
            raise BoxesError(f"box 0x{box_id:02x} stands twice")
        if box_id not in REQUIRED and not box_id & OPTIONAL_BIT:
            raise UnsupportedFeatureError(
                f"the file needs box 0x{box_id:02x}, which this release does not know: a newer s2lic is needed"
            )
        if start == stop and (box_id in EXTRAS or not box_id & OPTIONAL_BIT):
            raise BoxesError(f"box 0x{box_id:02x} is empty, as no encoder leaves one")
        spans[box_id] = (start, stop)
    if PAYLOAD not in spans:
        raise BoxesError("the file has no payload")
    return spans


def _check_limits(header: Header, limits: Limits) -> None:
    pixels, tiled = header.width * header.height, header.tiling == TILED
    most = limits.pixels(tiled)
    if most is not None and pixels > most:
        enough = pixels if tiled or pixels <= STREAM_PIXELS else STREAM_SHARE * pixels
        raise PixelLimitError(
            f"the picture has {header.width} x {header.height} pixels{'' if tiled else ' in one stream'}, more than "
            f"the limit of {most}; raise max_pixels (--max-pixels) to {enough} if you trust the file"
        )


def _box(box_id: int, content: bytes) -> bytes:
    return bytes([box_id]) + write_varint(len(content)) + content
