"""Files of every kind, size and option through both commands and back: what must be exact is exact.

The whole product has some 50,000 cases. Each two values of different factors meet in one of the rows that are run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from s2lic.coding import encoder
from s2lic.container.boxes import read_header
from s2lic.container.header import TILED
from s2lic.container.tiles import Layout, layout_of
from s2lic.images.metadata import EXIF_MARK, metadata_of
from s2lic.images.profile import fitted
from tests.files import ORIENTATION, PROFILE, XMP, exif, png_of_16_bits
from tests.frozen import MODEL, codec, picture
from tests.pairs import Row, pairs, pairwise

from .conftest import Result

Run = Callable[..., Result]
Pixels = NDArray[np.uint8]
Metadata = dict[str, bytes]

KEPT = {"icc_profile": PROFILE, "exif": exif({ORIENTATION: (3, 1)}), "xmp": XMP}
METADATA: dict[str, Metadata] = {"none": {}, "all": KEPT, "turned": {**KEPT, "exif": exif({ORIENTATION: (3, 6)})}}
BEHIND = (250, 128, 114)  # salmon


def png(image: Image.Image, path: Path, metadata: Metadata) -> None:
    info = PngInfo()
    if "xmp" in metadata:
        info.add_itxt("XML:com.adobe.xmp", metadata["xmp"].decode())
    rest = {name: metadata[name] for name in ("icc_profile", "exif") if name in metadata}
    image.save(path, "PNG", pnginfo=info, **rest)


def jpeg(image: Image.Image, path: Path, metadata: Metadata) -> None:
    block = {"exif": EXIF_MARK + metadata["exif"]} if "exif" in metadata else {}
    image.save(path, "JPEG", quality=95, **{**metadata, **block})


def webp(image: Image.Image, path: Path, metadata: Metadata) -> None:
    other = Image.fromarray(255 - np.asarray(image))
    image.save(path, "WEBP", lossless=True, save_all=True, append_images=[other], **metadata)


def masked(image: Image.Image) -> Image.Image:
    """With an alpha channel that has a hole and a gradient."""
    alpha = np.asarray(picture("shapes", "L", image.size)).copy()
    alpha[: image.height // 2] = 0
    image.putalpha(Image.fromarray(alpha))
    return image


def holed(image: Image.Image) -> Image.Image:
    """In 16 colours, the first of them transparent."""
    image = image.quantize(16)
    image.info["transparency"] = 0
    return image


def deep(image: Image.Image) -> NDArray[np.uint16]:
    """Its samples as 16 bits that round to the same 8."""
    return np.asarray(image).astype(np.uint16) * 257


Save = Callable[[Image.Image, Path, Metadata], None]


@dataclass(frozen=True)
class Kind:
    """Of a file: how it is made of an RGB picture and saved, and how it comes back; `strict` refuses a lossy one."""

    coded: str
    make: Callable[[Image.Image], Image.Image]
    save: Save = png
    lossy: bool = False
    keeps: tuple[str, ...] = tuple(KEPT)


KINDS = {
    "RGB": Kind("RGB", lambda image: image),
    "L": Kind("L", lambda image: image.convert("L")),
    "RGBA": Kind("RGBA", masked),
    "LA": Kind("LA", lambda image: masked(image.convert("L"))),
    "P": Kind("RGB", lambda image: image.quantize(16)),
    "P with a hole": Kind("RGBA", holed),
    "1": Kind("L", lambda image: image.convert("1")),
    "16-bit grey": Kind("L", lambda image: Image.fromarray(deep(image.convert("L"))), lossy=True),
    "16-bit RGB": Kind("RGB", lambda image: image, lambda i, p, _: write_deep(i, p), lossy=True, keeps=()),
    "CMYK": Kind("RGB", lambda image: image.convert("CMYK"), jpeg, lossy=True, keeps=("exif", "xmp")),
    "animated": Kind("RGB", lambda image: image, webp, lossy=True),
}
SIZES = ((1, 1), (1, 2000), (2000, 1), (33, 21), (65, 129), (257, 193))
FACTORS = {
    "kind": tuple(KINDS),
    "size": tuple(f"{width}x{height}" for width, height in SIZES),
    "metadata": tuple(METADATA),
    "quality": ("0", "37.5", "100"),
    "strip": ("nowhere", "encode", "decode"),
    "tiles": ("no", "yes"),
    "output": (".png", ".webp", ".tiff", ".avif", ".jpg"),
    "background": ("no", "yes"),
}
ROWS = pairwise(FACTORS)


def write_deep(image: Image.Image, path: Path) -> None:
    path.write_bytes(png_of_16_bits(deep(image)))


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
    return image


def test_every_two_values_meet_in_a_row() -> None:
    met = {pair for row in ROWS for pair in pairs(FACTORS, row)}
    counts = [len(values) for values in FACTORS.values()]
    assert len(met) == sum(prod((a, b)) for i, a in enumerate(counts) for b in counts[i + 1 :])
    assert len(ROWS) < prod(counts) / 300


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row.values()))
def test_a_file_goes_there_and_back(run: Run, tmp_path: Path, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    tile_from(monkeypatch, 1 if row["tiles"] == "yes" else 2**20)
    source = Source.of(row, tmp_path / "source")
    words = ["-e", "0", *(["--strip"] if row["strip"] == "encode" else [])]
    assert run("encode", source.path, "-o", "a.bin", "-q", row["quality"], *words, "--model", MODEL).code == 0
    assert (read_header(Path("a.bin").read_bytes()).tiling == TILED) == (row["tiles"] == "yes" and row["size"] != "1x1")

    back = tmp_path / f"back{row['output']}"
    words = ["--strip"] if row["strip"] == "decode" else []
    words += ["--background", "salmon"] if row["background"] == "yes" else []
    result = run("decode", "a.bin", "-o", back, *words, "--model", MODEL)
    if row["output"] == ".jpg" and row["background"] == "no" and "A" in source.coded.mode:
        assert (result.code, back.exists()) == (2, False)
        return
    assert result.code == 0
    check_pixels(opened(back), source, row)
    kept = kept_in(opened(back).mode, source) if row["strip"] == "nowhere" else {}
    check_metadata(opened(back), kept, row["output"])


def tile_from(monkeypatch: pytest.MonkeyPatch, side: int) -> None:
    """Tiles for what has more than 2 x side^2 pixels."""

    def cut(width: int, height: int, _: int) -> Layout:
        return layout_of(width, height, side)

    monkeypatch.setattr(encoder, "layout_of", cut)


@dataclass(frozen=True)
class Source:
    """A picture's file, and what is to come back of it: pixels before coding, upright, and metadata."""

    path: Path
    coded: Image.Image
    kept: Metadata

    @property
    def size(self) -> tuple[int, int]:
        return self.coded.size

    @classmethod
    def of(cls, row: Row, path: Path) -> Source:
        kind, metadata = KINDS[row["kind"]], METADATA[row["metadata"]]
        width, height = map(int, row["size"].split("x"))
        image = kind.make(picture("portrait", size=(width, height)))
        kind.save(image, path, metadata)
        stored = opened(path) if kind.save is jpeg else image
        eight = stored if stored.mode != "I;16" else Image.fromarray((np.asarray(stored) // 257).astype(np.uint8))
        pixels = np.asarray(eight.convert(kind.coded))
        turned = metadata.get("exif") == METADATA["turned"]["exif"] and "exif" in kind.keeps
        upright = Image.fromarray(np.ascontiguousarray(np.rot90(pixels, -1) if turned else pixels))
        return cls(path, upright, {name: KEPT[name] for name in metadata if name in kind.keeps})


def check_pixels(back: Image.Image, source: Source, row: Row) -> None:
    """As the library decodes the same pixels from memory; of alpha, the very samples."""
    expected = codec("auto").decode(codec().encode(source.coded, float(row["quality"]), effort=0))
    if "A" in source.coded.mode and row["background"] == "yes":
        expected = behind(expected, source.coded.getchannel("A"))
    elif "A" in source.coded.mode:
        assert np.array_equal(back.getchannel("A"), source.coded.getchannel("A"))
    assert (back.size, np.asarray(back.convert(expected.mode)).shape) == (source.size, np.asarray(expected).shape)
    shown = np.asarray(expected.getchannel("A") if "A" in expected.mode else Image.new("L", back.size, 1)) > 0
    error = np.abs(np.asarray(back.convert(expected.mode), int) - np.asarray(expected, int))[shown]
    if not error.size:
        assert row["kind"] == "P with a hole"  # all of it is the hole
    elif row["output"] in (".jpg", ".avif"):
        assert error.mean() < 4
    else:
        assert error.max() <= (row["background"] == "yes")


def behind(image: Image.Image, alpha: Image.Image) -> Image.Image:
    share = np.asarray(alpha, float)[..., None] / 255
    colour = np.asarray(image.convert("RGB"), float)
    return Image.fromarray(np.rint(share * colour + (1 - share) * np.array(BEHIND)).astype(np.uint8))


def kept_in(mode: str, source: Source) -> Metadata:
    """The metadata with a profile that fits the pixels: first those that were coded, then those of the output."""
    if "icc_profile" not in source.kept:
        return source.kept
    stored = fitted(PROFILE, source.coded.mode)
    profile = None if stored is None else fitted(stored, mode)
    rest = {name: content for name, content in source.kept.items() if name != "icc_profile"}
    return rest if profile is None else {**rest, "icc_profile": profile}


def check_metadata(back: Image.Image, kept: Mapping[str, bytes], extension: str) -> None:
    """Byte for byte; a TIFF file has its Exif as tags of its own."""
    found: dict[str, Any] = metadata_of(back)
    if extension == ".tiff" and "exif" in kept:
        assert back.getexif()[ORIENTATION] == 1
        found["exif"] = kept["exif"]
    assert found == kept


@pytest.mark.parametrize("kind", KINDS)
def test_strict_refuses_what_loses_something_and_nothing_else(run: Run, tmp_path: Path, kind: str) -> None:
    source = Source.of({"kind": kind, "size": "33x21", "metadata": "none"}, tmp_path / "source")
    result = run("encode", source.path, "-o", "a.bin", "--strict", "--model", MODEL)
    assert (result.code, (tmp_path / "a.bin").exists()) == ((1, False) if KINDS[kind].lossy else (0, True))
