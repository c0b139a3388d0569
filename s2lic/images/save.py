"""The output formats by extension, and what each of them can store."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageColor, features
from PIL.PngImagePlugin import PngInfo

from s2lic.errors import BackgroundMissingError, ExtraMissingError, OutputFormatError, UnknownColourError
from s2lic.images.exif import INCH, resolution_of, with_resolution
from s2lic.images.metadata import EXIF_MARK, metadata_of, upright
from s2lic.images.names import OPTIONAL, is_installed
from s2lic.images.profile import fitted
from s2lic.images.tiff import encode_tiff, shared_entries

Metadata = Mapping[str, bytes]


def _in_png(metadata: Metadata) -> dict[str, Any]:
    packet = PngInfo()
    if "xmp" in metadata:
        packet.add_itxt("XML:com.adobe.xmp", metadata["xmp"])  # type: ignore[arg-type]  # bytes go in as they are
    return {**{name: metadata[name] for name in ("icc_profile", "exif") if name in metadata}, "pnginfo": packet}


def _in_jpeg(metadata: Metadata) -> dict[str, Any]:
    return {**metadata, "exif": EXIF_MARK + metadata["exif"]} if "exif" in metadata else dict(metadata)


class _RawExif(Image.Exif):
    """A block that Pillow writes to AVIF unchanged. Pillow rewrites other blocks to remove the orientation.

    libavif derives the box that turns an AVIF from the orientation in the block.
    """

    def __init__(self, block: bytes) -> None:
        super().__init__()
        self._block = block

    def __bool__(self) -> bool:
        return True

    def tobytes(self, offset: int = 8) -> bytes:
        return self._block


def _in_avif(metadata: Metadata) -> dict[str, Any]:
    return {**metadata, "exif": _RawExif(metadata["exif"])} if "exif" in metadata else dict(metadata)


@dataclass(frozen=True)
class Format:
    """A format and how to save in it.

    Attributes:
        name: Pillow's name.
        options: Arguments of Pillow's `save`.
        alpha: Whether it stores alpha.
        grey: Whether it stores grey as grey.
        dpi: Whether it stores a resolution outside Exif.
        metadata: Maps metadata to arguments of `save`, or None if it stores none.
        limits: The most bytes of each kind of metadata.
        write: A function that saves instead of Pillow.
        lossy: Whether it takes a quality.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    alpha: bool = True
    grey: bool = True
    dpi: bool = False
    metadata: Callable[[Metadata], dict[str, Any]] | None = dict
    limits: Mapping[str, int] = field(default_factory=dict)
    write: Callable[[Image.Image, Metadata], bytes] | None = None
    lossy: bool = False


# The bytes that fit in one marker of JPEG after its identifier, or in 255 markers.
_MARKERS = {"exif": 65_527, "xmp": 65_504, "icc_profile": 255 * 65_519}

# Lossless if the format allows it, else without visible loss.
_JPEG = Format(
    "JPEG", {"quality": 95, "subsampling": 0}, False, dpi=True, metadata=_in_jpeg, limits=_MARKERS, lossy=True
)
_PPM = Format("PPM", alpha=False, metadata=None)
# Lossless but for the rounding of its colour transform.
_HEIF = Format("HEIF", {"quality": -1, "chroma": 444}, grey=False, lossy=True)
_TIFF = Format("TIFF", write=encode_tiff)
FORMATS = {
    ".png": Format("PNG", dpi=True, metadata=_in_png),
    ".avif": Format("AVIF", {"quality": 100, "subsampling": "4:4:4"}, grey=False, metadata=_in_avif, lossy=True),
    ".bmp": Format("BMP", {"dpi": (0, 0)}, alpha=False, dpi=True, metadata=None),  # Pillow would write 96
    ".heic": _HEIF,
    ".heif": _HEIF,
    ".jp2": Format("JPEG2000", {"mct": 1}, metadata=None),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".jxl": Format("JXL", {"lossless": True, "lossless_jpeg": False}, limits={"icc_profile": 0}, lossy=True),
    ".pgm": _PPM,
    ".ppm": _PPM,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".webp": Format("WEBP", {"lossless": True}, grey=False, lossy=True),
}


def format_of(path: str | Path) -> str:
    """The extension of a path in lower case. Raises OutputFormatError, or ExtraMissingError as `check_installed`."""
    extension = Path(path).suffix.lower()
    if extension not in FORMATS:
        known = ", ".join(FORMATS)
        raise OutputFormatError(f"{path} ends in no known picture extension; known are {known}")
    check_installed(extension)
    return extension


def check_installed(extension: str) -> None:
    """Refuse a format whose plugin or library is not there. Raises ExtraMissingError."""
    if extension in OPTIONAL and not is_installed(extension):
        extra, module = OPTIONAL[extension]
        raise ExtraMissingError(f"{extension} needs {module}, which is not installed: pip install 's2lic[{extra}]'")
    if FORMATS[extension].name == "JPEG2000" and not features.check("jpg_2000"):
        raise ExtraMissingError("this Pillow was built without JPEG 2000; install a wheel: pip install -U pillow")


def colour_of(name: str) -> tuple[int, int, int]:
    """Red, green and blue of a colour's name or #rrggbb. Raises UnknownColourError."""
    try:
        red, green, blue = ImageColor.getrgb(name)  # type: ignore[misc]  # four of them are a colour with alpha
    except ValueError as error:
        raise UnknownColourError(f"'{name}' is no opaque colour; give one like white or #ffe4c4") from error
    return red, green, blue


def check_quality(extension: str, quality: int | None) -> None:
    """Refuse a quality for a lossless format. Raises OutputFormatError."""
    if quality is not None and not FORMATS[extension].lossy:
        lossy = ", ".join(name for name, row in FORMATS.items() if row.lossy)
        raise OutputFormatError(f"{FORMATS[extension].name} takes no quality; leave out --quality, or choose {lossy}")


def check_alpha(extension: str, background: str | None) -> None:
    """Refuse to lose an alpha channel. Raises BackgroundMissingError or UnknownColourError."""
    if background is not None:
        colour_of(background)
    elif not FORMATS[extension].alpha:
        raise BackgroundMissingError(
            f"the picture has an alpha channel, which {FORMATS[extension].name} cannot hold; name a colour to put "
            "behind it (--background white) or another format, for instance .png"
        )


def left_out(image: Image.Image, extension: str) -> list[str]:
    """The names of the metadata that the format cannot store."""
    row, found = FORMATS[extension], metadata_of(image)
    mode = image.mode if row.grey else {"L": "RGB", "LA": "RGBA"}.get(image.mode, image.mode)
    carried = _carried(row, found)
    if "icc_profile" in carried and fitted(carried["icc_profile"], mode) is None:
        carried.pop("icc_profile")
    resolution = resolution_of(found.get("exif", b"")) if row.dpi else None
    if resolution is not None and found["exif"] == with_resolution(None, resolution):
        found.pop("exif")  # the format stores it in another way
    return [name for name in found if name not in carried]


def encode_image(
    image: Image.Image, extension: str = ".png", background: str | None = None, quality: int | None = None
) -> bytes:
    """Save the image and its metadata in the format of an extension, on a background if one is given.

    A quality 0..100 is passed to Pillow. Raises ExtraMissingError, OutputFormatError if the picture does not fit or the
    format takes no quality, BackgroundMissingError or UnknownColourError.
    """
    check_installed(extension)
    check_quality(extension, quality)
    row = FORMATS[extension]
    if quality is not None:
        row = replace(row, options={"quality": quality})
    if image.mode in ("RGBA", "LA"):
        check_alpha(extension, background)
        image = image if background is None else _on_background(image, colour_of(background))
    if row.metadata is None:
        image = upright(image)
    if not row.grey and image.mode in ("L", "LA"):
        image = _in_mode("RGB" if image.mode == "L" else "RGBA", image)
    found = metadata_of(image)
    try:
        return _written(image, row, found)
    except Exception as error:  # Pillow raises exceptions of any type on broken Exif blocks
        raise OutputFormatError(
            f"Pillow cannot save {image.width} x {image.height} pixels as {row.name}: {error}; "
            "choose another format, or leave out the metadata (--strip)"
        ) from error


def _written(image: Image.Image, row: Format, found: Metadata) -> bytes:
    carried = _carried(row, found)
    if row.write is not None:
        return row.write(image, carried)
    _register(row)
    buffer = io.BytesIO()
    words: dict[str, Any] = {"icc_profile": None}  # else Pillow takes the one of `info`, even if it does not fit
    words |= row.metadata(carried) if row.metadata else {}
    image.save(buffer, format=row.name, **{**row.options, **words, **(_dpi(found) if row.dpi else {})})
    return buffer.getvalue()


def _register(row: Format) -> None:
    """Makes Pillow save in the format of a plugin."""
    if row.name == "HEIF":
        importlib.import_module("pillow_heif").register_heif_opener()
    elif row.name == "JXL":
        importlib.import_module("pillow_jxl")  # its import registers the format


def _carried(row: Format, found: Metadata) -> dict[str, bytes]:
    """The metadata that the format can store."""
    if row.metadata is None:
        return {}
    fit = {name: content for name, content in found.items() if len(content) <= row.limits.get(name, len(content))}
    if row.write is encode_tiff and "exif" in fit and shared_entries(fit["exif"]) is None:
        fit.pop("exif")
    return fit


def _dpi(found: Metadata) -> dict[str, Any]:
    """The resolution for Pillow, if it has a unit and fits in 16 bits, the limit of JPEG."""
    resolution = resolution_of(found.get("exif", b""))
    if resolution is None or resolution.unit != INCH or not min(resolution.x, resolution.y) > 0.5:
        return {}
    return {} if max(resolution.x, resolution.y) > 65_535 else {"dpi": (resolution.x, resolution.y)}


def _in_mode(mode: str, image: Image.Image) -> Image.Image:
    """The picture in another mode, with its metadata."""
    changed = image.convert(mode)
    changed.info = dict(image.info)
    return changed


def _on_background(image: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    """The picture on a background. Grey stays grey on a grey background."""
    canvas = Image.new("RGBA", image.size, colour)
    canvas.alpha_composite(image.convert("RGBA"))
    canvas.info = image.info
    return _in_mode("L" if image.mode == "LA" and len(set(colour)) == 1 else "RGB", canvas)
