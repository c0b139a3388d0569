"""The chunks of a PNG: what Pillow needs for the pixels, and what the others say (PNG, third edition).

Pillow refuses a whole picture for one ancillary chunk that is damaged or larger than it likes. It gets only the chunks
that the pixels depend on; the others are read here, and one that is damaged is passed over.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LIMIT = 1 << 26  # bytes of a text or profile that is unpacked, which guards against a few that become gigabytes

_NEEDED = frozenset((b"tRNS", b"acTL", b"fcTL", b"fdAT"))
_SIZES = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"pHYs": 9}
_XMP = "XML:com.adobe.xmp"


@dataclass
class Chunks:
    """`picture`: a PNG with what the pixels depend on. `small`: chunks of a fixed size. `text`: by keyword."""

    picture: bytes
    small: dict[bytes, bytes] = field(default_factory=dict)
    text: dict[str, str] = field(default_factory=dict)
    profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    damaged: list[str] = field(default_factory=list)


def read_chunks(data: bytes) -> Chunks:
    """The chunks of a PNG, whole or broken; what is broken in the picture itself Pillow will tell."""
    found = Chunks(b"")
    parts, end = [data[: len(SIGNATURE)]], len(SIGNATURE)
    for name, start, stop in _spans(data):
        end = stop
        content, whole = data[start + 8 : stop - 4], _is_whole(data[start:stop])
        ancillary = bool(name[0] & 0x20)
        if not ancillary or name in _NEEDED or (name == b"pHYs" and whole and len(content) == _SIZES[name]):
            parts.append(data[start:stop])
        elif whole:
            with contextlib.suppress(ValueError, zlib.error):
                _take(found, name, content)
                continue
            found.damaged.append(name.decode("latin1"))
        else:
            found.damaged.append(name.decode("latin1"))
    found.picture = b"".join([*parts, data[end:]])
    return found


def _spans(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and stop of each chunk that is not cut off, as far as the last."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name, stop = data[at + 4 : at + 8], at + 12 + length
        if stop > len(data):
            return
        yield name, at, stop
        at = stop
        if name == b"IEND":
            return


def _is_whole(chunk: bytes) -> bool:
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def _take(found: Chunks, name: bytes, content: bytes) -> None:
    """Note what a chunk says; the first of a kind counts. Raises ValueError or zlib.error if it cannot be read."""
    if name in _SIZES:
        if len(content) != _SIZES[name]:
            raise ValueError("wrong size")
        found.small.setdefault(name, content)
    elif name == b"iCCP" and found.profile is None:
        found.profile = _unpacked(content.partition(b"\0")[2][1:])
    elif name == b"eXIf" and found.exif is None:
        found.exif = content
    elif name in (b"tEXt", b"zTXt", b"iTXt"):
        keyword, _, rest = content.partition(b"\0")
        text = _text(name, rest)
        if keyword.decode("latin1") == _XMP:
            found.xmp = found.xmp or text
        else:
            found.text.setdefault(
                keyword.decode("latin1"), text.decode("utf-8" if name == b"iTXt" else "latin1", "replace")
            )


def _text(name: bytes, rest: bytes) -> bytes:
    if name == b"tEXt":
        return rest
    if name == b"zTXt":
        return _unpacked(rest[1:])
    packed, words = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
    if len(words) < 3:
        raise ValueError("cut off")
    return _unpacked(words[2]) if packed else words[2]


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(data, LIMIT)
    if not unpacker.eof:
        raise ValueError("too large, or cut off")
    return content
