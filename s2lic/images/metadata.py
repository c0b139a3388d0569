"""What a picture brings besides its pixels: ICC profile, Exif and XMP, kept byte for byte."""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Mapping

from PIL import ExifTags, Image

NAMES = ("icc_profile", "exif", "xmp")
EXIF_MARK = b"Exif\0\0"  # JPEG writes it before the block, other formats do not

# How the stored picture is turned to stand upright (Exif 2.32, tag 0x0112).
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# A whole number may be spelled in any of these types of TIFF 6.0.
_WHOLE = {3: "H", 4: "I", 8: "h", 9: "i"}
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:=["']|>))[0-9]""")
# The tags of a TIFF file that tell of the picture, not of how the file stores it.
_TELLING = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
)


def metadata_of(image: Image.Image) -> dict[str, bytes]:
    """What `image` brings of `NAMES`, without those that are empty; the Exif block without its mark."""
    found = {"icc_profile": image.info.get("icc_profile"), "exif": _exif_of(image), "xmp": _xmp_of(image)}
    return {name: content for name, content in found.items() if content}


def with_metadata(image: Image.Image, metadata: Mapping[str, bytes]) -> Image.Image:
    """The same picture, its `info` now holding `metadata` as Pillow has it and nothing else; of no file any more."""
    image.format = None
    image.info = {name: metadata[name] for name in NAMES if name in metadata}
    if "exif" in metadata:
        image.info["exif"] = EXIF_MARK + metadata["exif"]
    return image


def upright(image: Image.Image) -> Image.Image:
    """The picture as its Exif says it is to be looked at, with metadata that no longer ask for turning it.

    Only the orientation's value changes, to 1; every other byte of Exif and XMP stays. One that is spelled so that it
    cannot be set is left to the viewer, and the picture as it stands.
    """
    metadata, turn = metadata_of(image), _TURNS.get(_orientation(image))
    told = _reset(metadata)
    if turn is None or _orientation(with_metadata(Image.new("L", (1, 1)), told)) in _TURNS:
        return with_metadata(image, metadata)
    return with_metadata(image.transpose(turn), told)


def tiff_tags(metadata: Mapping[str, bytes]) -> Image.Exif:
    """Exif and XMP as tags of a TIFF file."""
    found = Image.Exif()
    found.load(metadata.get("exif", b""))
    tags = _telling(found)
    if (orientation := found.get(ExifTags.Base.Orientation)) is not None:
        tags[ExifTags.Base.Orientation] = orientation
    if "xmp" in metadata:
        tags[ExifTags.Base.XMLPacket] = metadata["xmp"]
    return tags


def _reset(metadata: Mapping[str, bytes]) -> dict[str, bytes]:
    """Metadata with orientation 1 where they have one."""
    told = dict(metadata)
    if "exif" in told:
        told["exif"] = _turned_exif(told["exif"])
    if "xmp" in told:
        told["xmp"] = _XMP_ORIENTATION.sub(rb"\g<1>1", told["xmp"])
    return told


def _exif_of(image: Image.Image) -> bytes | None:
    block: bytes | None = image.info.get("exif")
    if block is None and "Raw profile type exif" in image.info:  # as ImageMagick writes it into PNG
        with contextlib.suppress(ValueError):  # what is no hex, no viewer reads
            block = bytes.fromhex("".join(image.info["Raw profile type exif"].split("\n")[3:]))
    if block is None and image.format == "TIFF":  # whose tags are its Exif: there is no block to keep
        tags = _telling(image.getexif())
        block = tags.tobytes() if tags else None
    return block.removeprefix(EXIF_MARK) if block else None


def _telling(found: Image.Exif) -> Image.Exif:
    kept = Image.Exif()
    kept.endian = found.endian
    kept.update({tag: found[tag] for tag in _TELLING if tag in found})
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if tags := found.get_ifd(directory):
            kept.get_ifd(directory).update(tags)  # here Pillow's writer of TIFF looks,
            kept[directory] = dict(tags)  # and here Exif.tobytes
    return kept


def _xmp_of(image: Image.Image) -> bytes | None:
    packet: bytes | str | None = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    return packet.encode() if isinstance(packet, str) else packet


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 on a broken block Pillow lets any kind through, and no viewer turns the picture
        return 1


def _turned_exif(block: bytes) -> bytes:
    """The block with orientation 1 in its first directory; what is no Exif stays as it is."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    changed = bytearray(block)
    if order is not None:
        with contextlib.suppress(struct.error):  # what lies behind the end of a block cut off, no viewer sees
            for at in _entries(block, order):
                tag, kind, count = struct.unpack_from(f"{order}HHI", block, at)
                if tag == ExifTags.Base.Orientation and kind in _WHOLE and count == 1:
                    struct.pack_into(f"{order}{_WHOLE[kind]}", changed, at + 8, 1)
    return bytes(changed)


def _entries(block: bytes, order: str) -> range:
    """Where the entries of the first directory begin."""
    (first,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, first)
    return range(first + 2, first + 2 + 12 * count, 12)
