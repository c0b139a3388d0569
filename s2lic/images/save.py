"""The formats that decoded pictures are saved in, by extension, and what each of them can hold."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageColor
from PIL.PngImagePlugin import PngInfo

from s2lic.errors import BackgroundMissingError, OutputFormatError, UnknownColourError
from s2lic.images.metadata import EXIF_MARK, metadata_of, tiff_tags, upright

Metadata = Mapping[str, bytes]


def _in_png(metadata: Metadata) -> dict[str, Any]:
    packet = PngInfo()
    if "xmp" in metadata:
        packet.add_itxt("XML:com.adobe.xmp", metadata["xmp"])  # type: ignore[arg-type]  # bytes go in as they are
    return {**{name: metadata[name] for name in ("icc_profile", "exif") if name in metadata}, "pnginfo": packet}


def _in_jpeg(metadata: Metadata) -> dict[str, Any]:
    return {**metadata, "exif": EXIF_MARK + metadata["exif"]} if "exif" in metadata else dict(metadata)


def _in_tiff(metadata: Metadata) -> dict[str, Any]:
    profile = {"icc_profile": metadata["icc_profile"]} if "icc_profile" in metadata else {}
    return {**profile, "exif": tiff_tags(metadata)}


class _Block(Image.Exif):
    """A block that Pillow's writer of AVIF hands on as it is; it rewrites others to take the orientation out.

    The box that turns an AVIF comes from the orientation in the block (libavif).
    """

    def __init__(self, block: bytes) -> None:
        super().__init__()
        self._block = block

    def __bool__(self) -> bool:
        return True

    def tobytes(self, offset: int = 8) -> bytes:
        return self._block


def _in_avif(metadata: Metadata) -> dict[str, Any]:
    return {**metadata, "exif": _Block(metadata["exif"])} if "exif" in metadata else dict(metadata)


@dataclass(frozen=True)
class Format:
    """Pillow's name of a format, how to save in it, whether it holds alpha, and how it takes metadata if it does."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    alpha: bool = True
    metadata: Callable[[Metadata], dict[str, Any]] | None = dict


# Lossless where the format can be, else at a quality that hides nothing of ours.
_JPEG = Format("JPEG", {"quality": 95, "subsampling": 0}, alpha=False, metadata=_in_jpeg)
_PPM = Format("PPM", alpha=False, metadata=None)
_TIFF = Format("TIFF", {"compression": "tiff_deflate"}, metadata=_in_tiff)
FORMATS = {
    ".png": Format("PNG", metadata=_in_png),
    ".avif": Format("AVIF", {"quality": 100, "subsampling": "4:4:4"}, metadata=_in_avif),
    ".bmp": Format("BMP", alpha=False, metadata=None),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".pgm": _PPM,
    ".ppm": _PPM,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".webp": Format("WEBP", {"lossless": True}),
}


def format_of(path: str | Path) -> str:
    """The extension, lower-case, if it names a format to save in. Raises OutputFormatError."""
    extension = Path(path).suffix.lower()
    if extension not in FORMATS:
        known = ", ".join(FORMATS)
        raise OutputFormatError(f"{path} ends in no known picture extension; known are {known}")
    return extension


def colour_of(name: str) -> tuple[int, int, int]:
    """Red, green and blue of a colour's name or #rrggbb. Raises UnknownColourError."""
    try:
        red, green, blue = ImageColor.getrgb(name)  # type: ignore[misc]  # four of them are a colour with alpha
    except ValueError as error:
        raise UnknownColourError(f"'{name}' is no opaque colour; give one like white or #ffe4c4") from error
    return red, green, blue


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
    """The names of the picture's metadata that the format has no place for."""
    return [] if FORMATS[extension].metadata else list(metadata_of(image))


def encode_image(image: Image.Image, extension: str = ".png", background: str | None = None) -> bytes:
    """The picture and its metadata in the format of an extension, on a background if one is named.

    Raises OutputFormatError if it does not fit, BackgroundMissingError or UnknownColourError.
    """
    row = FORMATS[extension]
    if image.mode in ("RGBA", "LA"):
        check_alpha(extension, background)
        image = image if background is None else _on_background(image, colour_of(background))
    if row.metadata is None:
        image = upright(image)
    buffer = io.BytesIO()
    try:
        carried = row.metadata(metadata_of(image)) if row.metadata else {}
        image.save(buffer, format=row.name, **row.options, **carried)
    except Exception as error:  # on a broken block of Exif Pillow lets any kind through
        raise OutputFormatError(
            f"Pillow cannot save {image.width} x {image.height} pixels as {row.name}: {error}; "
            "name another format, or leave the metadata out (--strip)"
        ) from error
    return buffer.getvalue()


def _on_background(image: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    """Grey stays grey on a grey background."""
    canvas = Image.new("RGBA", image.size, colour)
    canvas.alpha_composite(image.convert("RGBA"))
    grey = image.mode == "LA" and len(set(colour)) == 1
    flat = canvas.convert("L" if grey else "RGB")
    flat.info = dict(image.info)
    return flat
