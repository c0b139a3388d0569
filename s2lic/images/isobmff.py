"""The boxes of AVIF, HEIC and JPEG 2000 that declare sample depth and colour space."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

# Boxes that contain boxes, and the number of bytes before the first of these.
_CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"jp2h": 0, b"iinf": 6}
_UUIDS = {
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
    b"JpgTiffExif->JP2": "exif",
}


@dataclass
class Boxes:
    """What the boxes declare.

    Attributes:
        bits: Those of the deepest sample.
        nclx: Primaries and transfer curve (ITU-T H.273).
        colours: The number of the colour space in JPEG 2000.
    """

    bits: int = 8
    nclx: tuple[int, int] | None = None
    colours: int | None = None
    profile: bytes | None = None
    gain_map: bool = False
    metadata: dict[str, bytes] = field(default_factory=dict)


def read_boxes(data: bytes) -> Boxes:
    """Read the boxes, as far as they are readable."""
    found = Boxes()
    if data[:4] == b"\xff\x4f\xff\x51":  # a bare stream of JPEG 2000
        found.bits = max((1 + (depth & 0x7F) for depth in data[42 : 42 + 3 * data[41] : 3]), default=8)
        return found
    for name, content in _boxes(data, 0, len(data)):
        with contextlib.suppress(struct.error, IndexError):  # truncated boxes are ignored
            _take(found, name, content)
    return found


def _boxes(data: bytes, start: int, stop: int, depth: int = 0) -> Iterator[tuple[bytes, bytes]]:
    while start + 8 <= stop:
        length, name = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1 and start + 16 <= stop:
            (length,), head = struct.unpack_from(">Q", data, start + 8), 16
        end = stop if length == 0 else start + length
        if end > stop or end < start + head:
            return
        if name in _CONTAINERS and depth < len(_CONTAINERS):
            yield from _boxes(data, start + head + _CONTAINERS[name], end, depth + 1)
        elif name != b"mdat":
            yield name, data[start + head : end]
        start = end


def _take(found: Boxes, name: bytes, content: bytes) -> None:
    if name == b"av1C":
        found.bits = max(found.bits, {0x40: 10, 0x60: 12}.get(content[2] & 0x60, 8))
    elif name == b"hvcC":
        found.bits = max(found.bits, 8 + (content[17] & 7))
    elif name == b"pixi":
        found.bits = max(found.bits, *content[5 : 5 + content[4]])
    elif name == b"ihdr" and content[10] != 255:
        found.bits = max(found.bits, 1 + (content[10] & 0x7F))
    elif name == b"bpcc":
        found.bits = max(found.bits, *(1 + (depth & 0x7F) for depth in content))
    elif name == b"infe":
        found.gain_map |= content[8:12] == b"tmap"
    elif name == b"uuid" and content[:16] in _UUIDS:
        found.metadata.setdefault(_UUIDS[content[:16]], content[16:])
    elif name == b"auxC":
        found.gain_map |= b"hdrgainmap" in content
    elif name == b"colr":
        _take_colours(found, content)


def _take_colours(found: Boxes, content: bytes) -> None:
    if content[:4] == b"nclx" and found.nclx is None:
        found.nclx = struct.unpack_from(">HH", content, 4)
    elif content[:4] in (b"prof", b"rICC"):
        found.profile = found.profile or content[4:]
    elif content[0] == 1 and found.colours is None:
        (found.colours,) = struct.unpack_from(">I", content, 3)
    elif content[0] in (2, 3):
        found.profile = found.profile or content[3:]
