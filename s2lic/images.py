"""Pictures in and out through Pillow: 8-bit RGB and grey, anything else refused by name."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from s2lic.bitstream import DEFAULT_MAX_PIXELS
from s2lic.errors import (
    ImageSizeError,
    NotAnImageError,
    OutputFormatError,
    S2licError,
    UnsupportedModeError,
)
from s2lic.files import read_bytes

Source = str | Path | bytes | IO[bytes]
ImageLike = Source | Image.Image | npt.NDArray[np.uint8]

MODES = ("RGB", "L")

# Lossless where the format can be, else at a quality that hides nothing of ours.
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".bmp": ("BMP", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".pgm": ("PPM", {}),
    ".ppm": ("PPM", {}),
    ".tif": ("TIFF", {"compression": "tiff_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_deflate"}),
    ".webp": ("WEBP", {"lossless": True}),
}


def open_image(source: Source, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> Image.Image:
    """The decoded picture of a file, its bytes or an open file, turned upright by its Exif.

    Raises InputMissingError, NotAnImageError, UnsupportedModeError or ImageSizeError.
    """
    name, data = _contents(source)
    try:
        with _open(data) as image:
            check_image(image, max_pixels)
            return ImageOps.exif_transpose(image)
    except S2licError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageSizeError(f"{name} has more pixels than Pillow opens: {error}") from error
    except UnidentifiedImageError as error:
        raise NotAnImageError(f"{name} is not a picture that Pillow can read; give it a PNG, JPEG, WebP...") from error
    except Exception as error:  # on broken files Pillow lets any kind through
        raise NotAnImageError(f"{name} is not a picture that Pillow can read: {error}") from error


def as_image(image: ImageLike, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> Image.Image:
    """A picture from whatever holds one: a Pillow image, an array (H, W) or (H, W, 3), a file.

    Raises what `open_image` raises.
    """
    if isinstance(image, np.ndarray):
        image = _from_array(image)
    if not isinstance(image, Image.Image):
        return open_image(image, max_pixels)
    check_image(image, max_pixels)
    return image


def check_image(image: Image.Image, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> None:
    """Raises UnsupportedModeError or ImageSizeError if the picture cannot be coded."""
    if image.mode not in MODES:
        raise UnsupportedModeError(
            f"pictures of mode {image.mode} are not coded; convert it first, for instance with image.convert('RGB')"
        )
    if "transparency" in image.info:
        raise UnsupportedModeError(
            "pictures with a transparent colour are not coded; flatten it onto a background first"
        )
    pixels = image.width * image.height
    if pixels == 0:
        raise ImageSizeError(f"a picture of {image.width} x {image.height} has no pixels")
    if max_pixels is not None and pixels > max_pixels:
        raise ImageSizeError(
            f"the picture has {image.width} x {image.height} pixels, more than the limit of "
            f"{max_pixels}; raise max_pixels (--max-pixels) if memory allows"
        )


def is_picture_name(path: Path) -> bool:
    """Whether the extension is that of a format Pillow reads."""
    return Image.registered_extensions().get(path.suffix.lower()) in Image.OPEN


def format_of(path: str | Path) -> str:
    """The extension, lower-case, if it names a format to save in. Raises OutputFormatError."""
    extension = Path(path).suffix.lower()
    if extension not in FORMATS:
        known = ", ".join(FORMATS)
        raise OutputFormatError(f"{path} ends in no known picture extension; known are {known}")
    return extension


def encode_image(image: Image.Image, extension: str = ".png") -> bytes:
    """The picture in the format of an extension. Raises OutputFormatError if it does not fit."""
    name, options = FORMATS[extension]
    buffer = io.BytesIO()
    try:
        image.save(buffer, format=name, **options)
    except (OSError, ValueError) as error:
        raise OutputFormatError(
            f"Pillow cannot save {image.width} x {image.height} pixels as {name}: {error}"
        ) from error
    return buffer.getvalue()


def _contents(source: Source) -> tuple[str, bytes]:
    if isinstance(source, bytes):
        return "the data", source
    if isinstance(source, (str, Path)):
        return str(source), read_bytes(source)
    return str(getattr(source, "name", "the data")), source.read()


def _open(data: bytes) -> Image.Image:
    """Pillow's warning of many pixels is not wanted: `check_image` holds the limit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data))


def _from_array(array: npt.NDArray[Any]) -> Image.Image:
    if array.dtype != np.uint8 or not (array.ndim == 2 or array.shape[2:] == (3,)):
        raise UnsupportedModeError(
            f"arrays of {array.dtype} and shape {array.shape} are not coded; give uint8 of shape (H, W) or (H, W, 3)"
        )
    if array.size == 0:
        raise ImageSizeError(f"an array of shape {array.shape} has no pixels")
    return Image.fromarray(array)
