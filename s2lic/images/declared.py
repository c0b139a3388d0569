"""What a file declares and Pillow does not report: sample depth, colour space, gain map, text."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from s2lic.images.chunks import read_chunks
from s2lic.images.isobmff import read_boxes
from s2lic.images.modes import GREY, Note, cut_to_eight
from s2lic.images.profile import CICP_GAMMAS, CICP_PRIMARIES, SRGB, Primaries, is_srgb, made

# Comments that programs add by default. Dropping them needs no note.
_IDLE_COMMENTS = (b"Created by", b"Created with", b"CREATOR:")
_IDLE_WORDS = ("Software", "date:create", "date:modify", "date:timestamp")
_CURVES = {16: "PQ (HDR)", 18: "HLG (HDR)"}


@dataclass
class Declared:
    """`bits` of the deepest sample, if Pillow does not report it, and `info` to add to that of the image."""

    bits: int = 8
    info: dict[str, Any] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def describe(self, words: str, primaries: Primaries, gamma: float | None, grey: bool) -> None:
        """Turn a colour description into a profile, or note that it cannot be kept. sRGB needs neither."""
        primaries = SRGB if grey else primaries
        if is_srgb(primaries, gamma):
            return
        try:
            self.info["icc_profile"] = made(words, primaries, gamma, grey)
        except ValueError:
            self.lose(f"{words}: invalid primaries, treated as sRGB")
        else:
            self.notes.append(Note(f"{words} became an ICC profile"))

    def describe_by_number(self, words: str, primaries: int, curve: int, grey: bool) -> None:
        """The same for the code points of ITU-T H.273."""
        if curve in CICP_GAMMAS and (grey or primaries in CICP_PRIMARIES):
            self.describe(words, CICP_PRIMARIES.get(primaries, SRGB), CICP_GAMMAS[curve], grey)
        else:
            what = _CURVES.get(curve, f"primaries {primaries} and curve {curve}")
            self.lose(f"{words}: {what} cannot be kept; the samples are not converted")

    def lose(self, text: str) -> None:
        self.notes.append(Note(text, lossy=True))

    def leave_out(self, words: list[str]) -> None:
        if words:
            self.notes.append(Note(f"{', '.join(words)}: left out; only ICC profile, Exif and XMP are kept"))


def read_declared(data: bytes, image: Image.Image) -> Declared:
    """Read the declarations in the bytes of an image that Pillow has opened but not loaded."""
    found = Declared()
    if reader := _READERS.get(image.format or ""):
        reader(found, data, image)
    comment = image.info.get("comment") or b""
    comment = comment if isinstance(comment, bytes) else str(comment).encode()
    words = ["comment"] if comment and not comment.startswith(_IDLE_COMMENTS) else []
    iptc = 1028 in image.info.get("photoshop", {}) or 33723 in getattr(image, "tag_v2", {})
    found.leave_out(words + ["IPTC"] * iptc)
    sizes = image.info.get("sizes")
    if image.format in ("ICO", "ICNS", "CUR") and (count := len(list(sizes or ()))) > 1:
        found.lose(f"only the largest of {count} images is used")
    if found.bits > 8 and image.mode not in GREY:  # deep grey gets its note where it is converted
        found.notes.append(cut_to_eight(found.bits))
    return found


def _from_png(found: Declared, data: bytes, image: Image.Image) -> None:
    chunks, grey = read_chunks(data), image.mode in GREY
    small, text = chunks.small, chunks.text
    found.info |= {"icc_profile": chunks.profile, "exif": chunks.exif, "xmp": chunks.xmp}
    found.info |= {word: text.pop(word) for word in list(text) if word.startswith("Raw profile type ")}
    found.leave_out([f"text ({', '.join(words)})"] if (words := [w for w in text if w not in _IDLE_WORDS]) else [])
    if chunks.damaged:
        lossy = not {*chunks.damaged} <= {"tEXt", "zTXt", "iTXt", "tIME"}
        found.notes.append(Note(f"damaged {', '.join(chunks.damaged)}: left out", lossy))
    if b"cICP" in small:
        primaries, curve, _, full = small[b"cICP"]
        found.describe_by_number("cICP", primaries, curve, grey)
        if not full:
            found.lose("cICP: narrow-range samples are treated as full range")
    elif chunks.profile is None and b"sRGB" not in small and small.keys() & {b"gAMA", b"cHRM"}:
        names = [name.decode() for name in (b"gAMA", b"cHRM") if name in small]
        power = struct.unpack(">I", small.get(b"gAMA", b"\0\0\0\0"))[0]
        white, red, green, blue = _points(small.get(b"cHRM"))
        gamma = 100_000 / power if power else 0.0 if b"gAMA" in small else None
        found.describe(" and ".join(names), (red, green, blue, white), gamma, grey)


def _points(content: bytes | None) -> list[tuple[float, float]]:
    """White, red, green and blue of cHRM, or of sRGB without it."""
    if content is None:
        return [SRGB[3], *SRGB[:3]]
    values = [number / 100_000 for number in struct.unpack(">8I", content)]
    return list(zip(values[::2], values[1::2], strict=True))


def _from_boxes(found: Declared, data: bytes, image: Image.Image) -> None:
    """AVIF, HEIC and JPEG 2000."""
    boxes = read_boxes(data)
    found.bits = boxes.bits
    found.info |= {name: content for name, content in boxes.metadata.items() if name not in image.info}
    if boxes.gain_map:
        found.lose("its gain map (HDR) is left out")
    if boxes.profile:
        found.info["icc_profile"] = boxes.profile
    elif boxes.nclx:
        found.describe_by_number("nclx", *boxes.nclx, grey=image.mode in GREY)
    elif boxes.colours not in (None, 12, 16, 17, 18):  # CMYK, sRGB, grey and sYCC
        found.lose(f"JPEG 2000 colour space {boxes.colours} is treated as sRGB")


def _from_qoi(found: Declared, data: bytes, image: Image.Image) -> None:
    if data[13] == 1:
        found.describe("QOI linear", SRGB, 1.0, grey=False)


def _from_sgi(found: Declared, data: bytes, image: Image.Image) -> None:
    found.bits = 8 * data[3]
    if found.bits > 8 and image.mode in GREY:
        found.notes.append(cut_to_eight(found.bits))


def _from_bmp(found: Declared, data: bytes, image: Image.Image) -> None:
    """Headers of version 4 and 5, which name a colour space."""
    size, kind = struct.unpack_from("<I", data, 14)[0], data[70:74][::-1]
    if size < 108 or len(data) < 122:
        return
    if kind == b"MBED" and size >= 124 and len(data) >= 138:
        at, length = struct.unpack_from("<II", data, 14 + 112)
        found.info["icc_profile"] = data[14 + at : 14 + at + length]
    elif kind == b"LINK":
        found.lose("its ICC profile is in another file and is left out")
    elif kind == bytes(4) and any(data[74:122]):
        corners = [[n / 2**30 for n in struct.unpack_from("<3I", data, 74 + 12 * corner)] for corner in range(3)]
        gammas = [n / 2**16 for n in struct.unpack_from("<3I", data, 110)]
        white = [sum(column) for column in zip(*corners, strict=True)]
        points = [(x / (x + y + z), y / (x + y + z)) if x + y + z else (0.0, 0.0) for x, y, z in (*corners, white)]
        found.describe("the colours of the BMP", (points[0], points[1], points[2], points[3]), gammas[1] or 2.2, False)


def _from_tiff(found: Declared, data: bytes, image: Image.Image) -> None:
    tags: Mapping[int, Any] = image.tag_v2  # type: ignore[attr-defined]
    grey = image.mode in GREY
    unused = tags.get(338, ())
    if 0 in (unused if isinstance(unused, tuple) else (unused,)):
        found.lose("an extra channel without a declared meaning is left out")
    if "icc_profile" in image.info:
        return
    if 301 in tags and image.mode in (*GREY, "RGB"):
        found.lose("its transfer function is left out")
    if 319 in tags and not grey:
        points = [float(value) for value in (*tags[319], *tags.get(318, SRGB[3]))]
        red, green, blue, white = zip(points[::2], points[1::2], strict=True)
        found.describe("PrimaryChromaticities", (red, green, blue, white), None, grey)


_READERS: dict[str, Callable[[Declared, bytes, Image.Image], None]] = {
    "PNG": _from_png,
    "AVIF": _from_boxes,
    "HEIF": _from_boxes,
    "JPEG2000": _from_boxes,
    "QOI": _from_qoi,
    "SGI": _from_sgi,
    "BMP": _from_bmp,
    "DIB": lambda found, data, image: _from_bmp(found, bytes(14) + data, image),
    "TIFF": _from_tiff,
}
INSPECTED = tuple(_READERS)
