"""Mutants of valid files, by number. They are the same on every machine."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms

from s2lic.codec import Codec
from s2lic.container.boxes import pack, unpack
from s2lic.container.tiles import GRID
from s2lic.container.varint import write_varint
from s2lic.defaults import SIDE_MIN
from s2lic.images.metadata import EXIF_MARK, with_metadata

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILE = SRGB[:24] + bytes(12) + SRGB[36:]  # without the date, so that mutants never change
ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "tests" / "models" / "tiny.safetensors"
KINDS = ("flip", "cut", "insert", "claim")
SIZES = (1, 2, 63, 65, 100, 128, 500, 1000, 2000, 4096, 2**16, 2**20, 2**31 - 1)


@dataclass(frozen=True)
class Mutant:
    """A mutated file, the kind of mutation, and whether its checksum was corrected."""

    data: bytes
    kind: str
    restamped: bool


def seeds() -> list[bytes]:
    """Valid files: both tracked images, in colour and grey, at three qualities; some with tiles, regions, alpha."""
    codec, tiled, files = Codec(MODEL), Codec(MODEL, tile=GRID), []
    for name in ("portrait", "shapes"):
        with Image.open(ROOT / "tests" / "pictures" / f"{name}.png") as image:
            crop = image.crop((20, 20, 84, 84))
        files += [codec.encode(crop.convert(mode), quality) for mode in ("RGB", "L") for quality in (5, 50, 95)]
        roi = None if name == "portrait" else crop.resize((5, 1))
        files.append(tiled.encode(crop.resize((SIDE_MIN + GRID, GRID)), 20, roi=roi))
        files += [coder.encode(laden(crop.resize(size)), 20) for coder, size in ((codec, (64, 64)), (tiled, (320, 64)))]
    return files


def laden(picture: Image.Image) -> Image.Image:
    """The image with alpha, a profile, and an Exif orientation."""
    picture.putalpha(picture.convert("L").point(lambda level: max(level - 60, 0)))
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation], tags[ExifTags.Base.Make] = 6, "maker"
    boxes = {"icc_profile": PROFILE, "exif": tags.tobytes().removeprefix(EXIF_MARK), "xmp": b"<x/>"}
    return with_metadata(picture, boxes)


def mutant(files: list[bytes], seed: int, index: int) -> Mutant:
    """Number `index` of the campaign `seed`, the same on every machine."""
    rng = np.random.default_rng([seed, index])
    original = files[rng.integers(len(files))]
    restamped = index % 2 == 1
    kind = KINDS[rng.integers(len(KINDS) if restamped else len(KINDS) - 1)]
    data = original
    while data == original:
        data = _claim(original, rng) if kind == "claim" else _edit(original, kind, rng, restamped)
    return Mutant(stamp_file(data) if restamped else data, kind, restamped)


def _edit(data: bytes, kind: str, rng: np.random.Generator, attack: bool) -> bytes:
    """One to four edits of one kind. An attack keeps magic, version and the place of the checksum."""
    head, tail = (5, 4) if attack else (0, 0)
    body = bytearray(data[head : len(data) - tail])
    for _ in range(rng.integers(1, 5)):
        # Half of all edits hit the first bytes. The header is short and would rarely be hit otherwise.
        at = int(rng.integers(len(body) if rng.random() < 0.5 else min(len(body), 30))) if body else 0
        span = int(rng.geometric(0.2))
        if kind == "flip" and body:
            body[at] ^= 1 << int(rng.integers(8))
        elif kind == "cut":
            del body[at : at + span]
        elif kind == "insert":
            body[at:at] = rng.bytes(span)
    return data[:head] + bytes(body) + data[len(data) - tail :]


def _claim(data: bytes, rng: np.random.Generator) -> bytes:
    """Another size, quality or colour in a valid container, or an invented list of exceptions or alpha box."""
    container = unpack(data)
    width, height = (int(SIZES[i]) for i in rng.integers(len(SIZES), size=2))
    changes: list[dict[str, int]] = [
        {"width": width},
        {"height": height},
        {"width": width, "height": height},
        {"quality": int(rng.integers(10_001)), "colour": int(rng.integers(2))},
        {},
    ]
    header = dataclasses.replace(container.header, **changes[rng.integers(5)])  # type: ignore[arg-type]
    exceptions = _exceptions(rng) if rng.random() < 0.4 else container.exceptions
    alpha = {"alpha": bytes([rng.integers(3)]) + rng.bytes(1 + rng.integers(40))} if rng.random() < 0.2 else {}
    extras = {**container.extras, **alpha}
    return pack(dataclasses.replace(container, header=header, exceptions=exceptions, extras=extras))


def _exceptions(rng: np.random.Generator) -> bytes:
    count = int(rng.integers(0, 9))
    values = rng.integers(0, [200, rng.choice([120, 2**16])], (count, 2))
    return b"".join(write_varint(int(number)) for number in (count, *values.flat))


def stamp_file(data: bytes) -> bytes:
    return data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little")
