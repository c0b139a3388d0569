"""Picture files with metadata or samples that Pillow itself cannot write."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

ORIENTATION = 0x0112
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description dc:title="\xc3\xa9t\xc3\xa9"/></x:xmpmeta>'


def exif(
    tags: Mapping[int, tuple[int, int]] | None = None, order: str = "<", maker: bytes = b"\0MakerNote\xff"
) -> bytes:
    """An Exif block: numbers as {tag: (type, value)} in the first directory, and bytes no rewriting would keep."""
    rows = sorted((tags or {}).items())
    code = {3: "H2x", 4: "I", 9: "i"}
    entries = b"".join(struct.pack(f"{order}HHI{code[kind]}", tag, kind, 1, value) for tag, (kind, value) in rows)
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    return head + struct.pack(f"{order}H", len(rows)) + entries + bytes(4) + maker


def png_of_16_bits(samples: NDArray[np.uint16], transparent: tuple[int, ...] = ()) -> bytes:
    """(H, W), (H, W, 3) or (H, W, 4)."""
    kind = 0 if samples.ndim == 2 else {3: 2, 4: 6}[samples.shape[2]]
    head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    if transparent:
        chunks.insert(1, (b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def tiff_of_16_bits(samples: NDArray[np.uint16]) -> bytes:
    """(H, W, 3), uncompressed."""
    height, width, _ = samples.shape
    data, bits = samples.astype("<u2").tobytes(), struct.pack("<3H", 16, 16, 16)
    start = 8 + 2 + 9 * 12 + 4
    numbers = [(256, width), (257, height), (258, start), (259, 1), (262, 2), (273, start + 6), (277, 3), (278, height)]
    entries = [(tag, 4, 3 if tag == 258 else 1, value) for tag, value in [*numbers, (279, len(data))]]
    entries[2] = (258, 3, 3, start)
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + bits + data
