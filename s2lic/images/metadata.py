"""Metadata of an image: ICC profile, Exif and XMP, kept byte for byte."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping

from PIL import ExifTags, Image

from s2lic.images.exif import INCH, NO_UNIT, Resolution, resolution_of, turned_exif, with_resolution
from s2lic.images.profile import fitted

NAMES = ("icc_profile", "exif", "xmp")
EXIF_MARK = b"Exif\0\0"  # JPEG writes it before the block, other formats do not

# How to turn the stored image upright (Exif 2.32, tag 0x0112).
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:=["']|>))[0-9]""")
# The tags of a TIFF file that describe the image, not how the file stores it.
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
    """The metadata of `image` by `NAMES`, without empty ones. The Exif block has no JPEG marker.

    A profile for another mode is adapted or left out. A resolution that the file stores outside Exif is added to the
    block.
    """
    profile = image.info.get("icc_profile")
    found = {
        "icc_profile": fitted(profile, image.mode) if profile else None,
        "exif": _with_resolution(image, _exif_of(image)),
        "xmp": _xmp_of(image),
    }
    return {name: content for name, content in found.items() if content}


def with_metadata(image: Image.Image, metadata: Mapping[str, bytes]) -> Image.Image:
    """A copy of the image whose `info` holds only `metadata`, in Pillow's form, and that belongs to no file."""
    image.format = None
    image.info = {name: metadata[name] for name in NAMES if name in metadata}
    if "exif" in metadata:
        image.info["exif"] = EXIF_MARK + metadata["exif"]
        resolution = resolution_of(metadata["exif"])
        if resolution is not None and resolution.unit == INCH:
            image.info["dpi"] = (resolution.x, resolution.y)
    return image


def upright(image: Image.Image) -> Image.Image:
    """The image, turned upright by its Exif, and metadata that no longer ask for a turn.

    Only the parts of Exif and XMP that depend on the orientation change. If the orientation is stored in a form that
    cannot be changed, neither the image nor its metadata change.
    """
    metadata, orientation = metadata_of(image), _orientation(image)
    turn = _TURNS.get(orientation)
    if turn is None:
        return with_metadata(image, metadata)
    reset = _reset(metadata, orientation, image.size)
    if _orientation(with_metadata(Image.new("L", (1, 1)), reset)) in _TURNS:
        return with_metadata(image, metadata)
    return with_metadata(image.transpose(turn), reset)


def _reset(metadata: Mapping[str, bytes], orientation: int, size: tuple[int, int]) -> dict[str, bytes]:
    """The metadata of the image after it is turned upright."""
    reset = dict(metadata)
    if "exif" in reset:
        reset["exif"] = turned_exif(reset["exif"], orientation, size)
    if "xmp" in reset:
        reset["xmp"] = _XMP_ORIENTATION.sub(rb"\g<1>1", reset["xmp"])
    return reset


def _with_resolution(image: Image.Image, block: bytes | None) -> bytes | None:
    """The block, with the resolution that the file stores elsewhere.

    72 pixels per inch is the value for "unknown" in Exif and is not added.
    """
    found = _resolution_beside_exif(image)
    if found is None or found.is_near(Resolution(72, 72)) or found.is_near(resolution_of(block or b"")):
        return block
    return with_resolution(block, found)


def _resolution_beside_exif(image: Image.Image) -> Resolution | None:
    info = image.info
    pair, unit = info.get("dpi"), INCH
    if "jfif_density" in info and info.get("jfif_unit") == 0:
        pair, unit = info["jfif_density"], NO_UNIT
    elif image.format == "JPEG" and "jfif_density" not in info:
        return None  # Pillow has it from Exif
    elif pair is None and ("aspect" in info or "resolution" in info):
        pair, unit = info.get("aspect", info.get("resolution")), NO_UNIT
    try:
        x, y = (float(value) for value in pair or ())
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not (0 < x < 2**31 and 0 < y < 2**31) or (x, y) == (1, 1) or (unit == NO_UNIT and x == y):
        return None
    return Resolution(x, y, unit)


def _exif_of(image: Image.Image) -> bytes | None:
    block: bytes | None = image.info.get("exif")
    if block is None and "Raw profile type exif" in image.info:  # as ImageMagick writes it into PNG
        with contextlib.suppress(ValueError):  # no viewer reads text that is not hexadecimal
            block = bytes.fromhex("".join(image.info["Raw profile type exif"].split("\n")[3:]))
    if block is None and image.format == "TIFF":  # its own tags are its Exif, so there is no block to keep
        tags = _telling(image.getexif())
        block = tags.tobytes() if tags else None
    return block.removeprefix(EXIF_MARK) if block else None


def _telling(found: Image.Exif) -> Image.Exif:
    kept = Image.Exif()
    kept.endian = found.endian
    kept.update({tag: found[tag] for tag in _TELLING if tag in found})
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if tags := found.get_ifd(directory):
            kept.get_ifd(directory).update(tags)  # read by Pillow's TIFF writer,
            kept[directory] = dict(tags)  # and by Exif.tobytes
    return kept


def _xmp_of(image: Image.Image) -> bytes | None:
    packet: bytes | str | None = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    return packet.encode() if isinstance(packet, str) else packet


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 on a broken block Pillow lets any kind through, and no viewer turns the picture
        return 1
