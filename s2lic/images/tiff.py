"""Writing of TIFF: compressed strips after the Exif block, whose directories the file reuses unchanged (TIFF 6.0).

An Exif block is a TIFF file without pixels. A file that begins with the block can point into it: all offsets stay
valid, including those in maker notes. Pillow's own writer cannot write directories of Exif into a compressed TIFF.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image

STRIP_BYTES = 1 << 18
BYTE, SHORT, LONG, UNDEFINED = 1, 3, 4, 7
DEFLATE, GREY, COLOUR, DIFFERENCES, STRAIGHT_ALPHA = 8, 1, 2, 2, 2

# Tags of the first Exif directory that describe the image. The others describe its storage.
_SHARED = frozenset(
    (
        *(0x010D, 0x010E, 0x010F, 0x0110, 0x0112, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x013C),
        *(0x4746, 0x4749, 0x8298, 0x8769, 0x8825, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F),
    )
)
_EMPTY = b"II*\0\0\0\0\0"


def encode_tiff(image: Image.Image, metadata: Mapping[str, bytes]) -> bytes:
    """The image (L, LA, RGB or RGBA) with its metadata. An Exif block that cannot be reused is left out."""
    block = metadata.get("exif", b"")
    shared = shared_entries(block) or {}
    out = _File(block if shared else _EMPTY)
    rows = max(1, STRIP_BYTES // (image.width * len(image.getbands())))
    strips = [out.append(strip) for strip in _strips(image, rows)]
    alpha = image.mode in ("LA", "RGBA")
    entries = {
        256: out.entry(256, LONG, [image.width]),
        257: out.entry(257, LONG, [image.height]),
        258: out.entry(258, SHORT, [8] * len(image.getbands())),
        259: out.entry(259, SHORT, [DEFLATE]),
        262: out.entry(262, SHORT, [GREY if image.mode in ("L", "LA") else COLOUR]),
        273: out.entry(273, LONG, [at for at, _ in strips]),
        277: out.entry(277, SHORT, [len(image.getbands())]),
        278: out.entry(278, LONG, [rows]),
        279: out.entry(279, LONG, [length for _, length in strips]),
        317: out.entry(317, SHORT, [DIFFERENCES]),
        **({338: out.entry(338, SHORT, [STRAIGHT_ALPHA])} if alpha else {}),
        **({700: out.entry(700, BYTE, metadata["xmp"])} if "xmp" in metadata else {}),
        **({34675: out.entry(34675, UNDEFINED, metadata["icc_profile"])} if "icc_profile" in metadata else {}),
    }
    return out.finished({**shared, **entries})


def shared_entries(block: bytes) -> dict[int, bytes] | None:
    """The entries of a block that a TIFF can reuse, by tag; None if it is unreadable."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return None
    try:
        (first,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, first)
        starts = range(first + 2, first + 2 + 12 * count, 12)
        tags = {struct.unpack_from(f"{order}H10x", block, at)[0]: block[at : at + 12] for at in starts}
    except struct.error:
        return None
    return {tag: entry for tag, entry in tags.items() if tag in _SHARED}


class _File:
    """A TIFF file under construction, after the bytes that set its byte order."""

    def __init__(self, head: bytes) -> None:
        self._order = "<" if head[:2] == b"II" else ">"
        self._parts, self._length = [head], len(head)
        self.append(b"")

    def append(self, data: bytes) -> tuple[int, int]:
        """Append data at an even offset. Returns its offset and length."""
        self._parts.append(bytes(self._length % 2) + data)
        at = self._length + self._length % 2
        self._length = at + len(data)
        return at, len(data)

    def entry(self, tag: int, kind: int, values: list[int] | bytes) -> bytes:
        """A directory entry. Values of more than 4 bytes are stored outside it."""
        form = {BYTE: "B", SHORT: "H", LONG: "I", UNDEFINED: "B"}[kind]
        data = values if isinstance(values, bytes) else struct.pack(f"{self._order}{len(values)}{form}", *values)
        if len(data) > 4:
            data = struct.pack(f"{self._order}I", self.append(data)[0])
        return struct.pack(f"{self._order}HHI", tag, kind, len(values)) + data.ljust(4, b"\0")

    def finished(self, entries: Mapping[int, bytes]) -> bytes:
        """The file, whose header points to the directory at its end."""
        rows = b"".join(entries[tag] for tag in sorted(entries))
        at, _ = self.append(struct.pack(f"{self._order}H", len(entries)) + rows + bytes(4))
        self._parts[0] = self._parts[0][:4] + struct.pack(f"{self._order}I", at) + self._parts[0][8:]
        return b"".join(self._parts)


def _strips(image: Image.Image, rows: int) -> Iterator[bytes]:
    """The rows in strips, with each sample as the difference from its left neighbour."""
    for top in range(0, image.height, rows):
        part = image.crop((0, top, image.width, min(top + rows, image.height)))
        samples = np.asarray(part).reshape(part.height, part.width, -1)
        yield zlib.compress(np.diff(samples, axis=1, prepend=np.uint8(0)).tobytes())
