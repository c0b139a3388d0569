"""Makes broken files, each with one defect and named after it. The tests open them in all ways.

    python scripts/corrupt.py --write    regenerate tests/corrupt, only after a change to the format

`manifest.json` has the error of decoding each file, and that of `s2lic info`, which reads no symbols and checks neither
model nor size. null means that it prints the header.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from s2lic import errors
from s2lic.codec import Codec
from s2lic.container.boxes import Container, pack, unpack
from s2lic.container.header import Header
from s2lic.container.tiles import GRID, Entry, pack_tiles, unpack_tiles
from s2lic.container.varint import write_varint
from s2lic.defaults import SIDE_MIN
from s2lic.images.alpha import pack_alpha

TESTS = Path(__file__).resolve().parents[1] / "tests"
FOLDER = TESTS / "corrupt"
MODEL = TESTS / "models" / "tiny.safetensors"
PASSES = None


def sound() -> bytes:
    with Image.open(TESTS / "pictures" / "portrait.png") as image:
        return Codec(MODEL).encode(image.crop((40, 30, 104, 94)), 10, effort=0)


def tiled() -> bytes:
    """Two tiles, of 256 x 64 and 64 x 64 pixels."""
    with Image.open(TESTS / "pictures" / "portrait.png") as image:
        return Codec(MODEL, tile=GRID).encode(image.resize((SIDE_MIN + GRID, GRID)), 10, effort=0)


def header(good: bytes, **changes: int | bytes) -> bytes:
    """The same file with other header fields."""
    container = unpack(good)
    changed: Header = dataclasses.replace(container.header, **changes)  # type: ignore[arg-type]
    return pack(Container(changed, container.payload, container.exceptions))


def payload(good: bytes, content: bytes) -> bytes:
    container = unpack(good)
    return pack(Container(container.header, content, container.exceptions))


def exceptions(good: bytes, *numbers: int) -> bytes:
    container = unpack(good)
    return pack(Container(container.header, container.payload, b"".join(map(write_varint, numbers))))


def extra(good: bytes, **boxes: bytes) -> bytes:
    """The same file with further boxes, by name."""
    return pack(dataclasses.replace(unpack(good), extras=boxes))


def listing(change: Callable[[list[Entry]], list[Entry]] = list, cut: int = 0, side: int = SIDE_MIN) -> bytes:
    """The file of two tiles with another tile list."""
    container = unpack(tiled())
    layout, entries = unpack_tiles(container.tiles, SIDE_MIN + GRID, GRID, len(container.payload))
    packed = pack_tiles(dataclasses.replace(layout, tile_width=side), change(entries))
    return pack(dataclasses.replace(container, tiles=packed[: len(packed) - cut]))


def stamp(data: bytes) -> bytes:
    return data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little")


def insert(good: bytes, at: int, content: bytes) -> bytes:
    return stamp(good[:at] + content + good[at:])


def replace(good: bytes, at: int, content: bytes) -> bytes:
    return stamp(good[:at] + content + good[at + len(content) :])


def corpus() -> dict[str, tuple[bytes, str, str | None]]:
    """Each file with its errors in decode and in info."""
    return {name: (data, error.__name__, PASSES) for name, (data, error) in (_symbols() | _beside()).items()} | {
        name: (data, error.__name__, error.__name__) for name, (data, error) in (_container() | _tiles()).items()
    }


Broken = dict[str, tuple[bytes, type[errors.BitstreamError]]]


def _container() -> Broken:
    """Defects in the container. The header box begins at byte 5, its content at byte 7."""
    good = sound()
    first = 7 + good[6]
    return {
        "empty": (b"", errors.TruncatedError),
        "cut-in-the-magic": (good[:3], errors.TruncatedError),
        "cut-in-the-header": (good[:15], errors.TruncatedError),
        "cut-in-the-payload": (good[:-20], errors.TruncatedError),
        "a-png": (b"\x89PNG\r\n\x1a\n" + good[8:], errors.NotS2licError),
        "newer-version": (replace(good, 4, b"\x02"), errors.NewerVersionError),
        "version-zero": (replace(good, 4, b"\x00"), errors.NoSuchVersionError),
        "flipped-bit": (good[:60] + bytes([good[60] ^ 16]) + good[61:], errors.FileChecksumError),
        "bytes-behind-the-end": (good + b"\0\0\0\0", errors.FileChecksumError),
        "width-zero": (replace(good, 7, b"\x00"), errors.HeaderError),
        "quality-above-100": (replace(good, 17, (10_001).to_bytes(2, "little")), errors.HeaderError),
        "retired-arithmetic": (replace(good, 19, b"\x01"), errors.RetiredArithmeticError),
        "unknown-arithmetic": (replace(good, 19, b"\x07"), errors.UnsupportedFeatureError),
        "unknown-required-box": (insert(good, first, b"\x11\x00"), errors.UnsupportedFeatureError),
        "two-headers": (insert(good, first, good[5:first]), errors.BoxesError),
        "no-payload": (stamp(good[:first] + b"\0\0\0\0"), errors.BoxesError),
        "alpha-of-no-bytes": (insert(good, first, b"\x84\x00"), errors.BoxesError),
        "tiles-that-the-header-denies": (insert(good, first, b"\x04\x01\x04"), errors.BoxesError),
        "tiles-that-are-missing": (replace(good, 20, b"\x01"), errors.BoxesError),
        "box-longer-than-the-file": (replace(good, first + 1, b"\xff\x7f"), errors.OverrunError),
        "length-of-a-byte-too-many": (
            stamp(good[:6] + bytes([good[6] | 0x80, 0]) + good[7:]),
            errors.NumberSpellingError,
        ),
    }


def _tiles() -> Broken:
    """Defects in the tile list, which `s2lic info` reads too."""
    return {
        "tiles-cut-off": (listing(cut=3), errors.OverrunError),
        "tiles-longer-than-the-payload": (listing(lambda e: [e[0], Entry(e[1].length + 4, 0)]), errors.TileListError),
        "tiles-of-no-payload": (listing(lambda e: [Entry(4, 0), *e[1:]]), errors.TileListError),
        "tiles-too-narrow": (listing(side=GRID), errors.TileListError),
        "tiles-of-another-width": (listing(side=SIDE_MIN + GRID), errors.TileListError),
    }


def _symbols() -> Broken:
    """Defects that only the decoder finds."""
    good = sound()
    first = 7 + good[6]
    words = unpack(good).payload
    return {
        "unknown-model": (header(good, model_id=b"nobody's"), errors.UnknownModelError),
        "more-pixels-than-the-limit": (header(good, width=2**15, height=2**15), errors.PixelLimitError),
        "picture-larger-than-its-payload": (header(good, width=2048, height=2048), errors.PayloadSizeError),
        "picture-of-another-size": (header(good, width=80), errors.SymbolChecksumError),
        "another-quality": (header(good, quality=9000), errors.SymbolChecksumError),
        "wrong-symbol-checksum": (header(good, symbol_crc32=1), errors.SymbolChecksumError),
        "payload-of-zeros": (payload(good, bytes(len(words))), errors.SymbolChecksumError),
        "payload-of-four-bytes": (payload(good, words[:4]), errors.TruncatedError),
        "payload-of-broken-words": (payload(good, words[:-2]), errors.PayloadSizeError),
        "payload-too-long": (payload(good, words * 12), errors.PayloadSizeError),
        "exceptions-of-none": (exceptions(good, 0), errors.ExceptionListError),
        "exceptions-beyond-the-last-symbol": (exceptions(good, 1, 5000, 4), errors.ExceptionListError),
        "exceptions-cut-off": (exceptions(good, 3, 5, 4), errors.OverrunError),
        "regions-coded-in-no-known-way": (insert(good, first, b"\x05\x09\x08" + bytes(8)), errors.RegionMapError),
        "regions-without-words": (insert(good, first, b"\x05\x01\x00"), errors.TruncatedError),
        "exceptions-of-17-bits": (exceptions(good, 1, 0, 65_536), errors.ExceptionListError),
    }


def _beside() -> Broken:
    """Defects in alpha and in the order of tiles. `sound` has 64 x 64 pixels."""
    good, mask = sound(), Image.linear_gradient("L").resize((64, 64))
    packed = pack_alpha(mask)
    return {
        "alpha-of-no-known-way": (extra(good, alpha=b"\x02\x00"), errors.AlphaError),
        "alpha-of-two-values": (extra(good, alpha=b"\x00\x01\x02"), errors.AlphaError),
        "alpha-cut-off": (extra(good, alpha=packed[:-9]), errors.AlphaError),
        "alpha-that-goes-on": (extra(good, alpha=packed + b"\x00"), errors.AlphaError),
        "alpha-of-fewer-samples": (extra(good, alpha=pack_alpha(mask.crop((0, 0, 64, 63)))), errors.AlphaError),
        "alpha-of-more-samples": (extra(good, alpha=pack_alpha(mask.resize((4096, 4096)))), errors.AlphaError),
        "alpha-of-no-stream": (extra(good, alpha=b"\x01" + bytes(range(9, 60))), errors.AlphaError),
        "tiles-swapped": (listing(lambda e: e[::-1]), errors.SymbolChecksumError),
    }


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    rows = {}
    for name, (data, error, looked_at) in sorted(corpus().items()):
        (FOLDER / f"{name}.s2lic").write_bytes(data)
        rows[name] = {"decode": error, "info": looked_at}
    (FOLDER / "manifest.json").write_text(json.dumps(rows, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", required=True)
    parser.parse_args()
    write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
