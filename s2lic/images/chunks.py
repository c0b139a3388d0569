"""The chunks of a PNG: those that Pillow needs for the pixels, and the content of the others (PNG, third edition).

Pillow refuses an image with an ancillary chunk that is damaged or too large. It therefore gets only the chunks that the
pixels depend on. The others are read here, and damaged ones are skipped.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LIMIT = 1 << 26  # bytes of a decompressed text or profile, against decompression bombs

_NEEDED = frozenset((b"tRNS", b"acTL", b"fcTL", b"fdAT"))
_SIZES = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"pHYs": 9}
_XMP = "XML:com.adobe.xmp"


@dataclass
class Chunks:
    """`picture`: a PNG of the chunks that the pixels need. `small`: chunks of a fixed size. `text`: by keyword."""

    picture: bytes
    small: dict[bytes, bytes] = field(default_factory=dict)
    text: dict[str, str] = field(default_factory=dict)
    profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    damaged: list[str] = field(default_factory=list)


def read_chunks(data: bytes) -> Chunks:
    """Read the chunks of a PNG. Errors in the chunks of the pixels are left to Pillow."""
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
    """Name, start and stop of each complete chunk, up to the last one."""
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
    """Store the content of a chunk; the first of each kind counts. Raises ValueError or zlib.error."""
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
