"""Opening of images with Pillow, or with the plugin of an extra, which is imported only when needed."""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Callable
from typing import IO

from PIL import Image

from s2lic.images.chunks import SIGNATURE, read_chunks
from s2lic.images.names import OPTIONAL, is_installed

Opener = Callable[[IO[bytes]], Image.Image]

_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def open_picture(data: bytes) -> Image.Image:
    """Open an image without loading it. Raises the exceptions of Pillow.

    Pillow's limits on text in a PNG and its warning of many pixels are disabled: `check_size` has its own limit.
    """
    data = read_chunks(data).picture if data.startswith(SIGNATURE) else data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return _opener_of(data)(io.BytesIO(data))


def _opener_of(data: bytes) -> Opener:
    """Pillow's opener, unless an extra for the format is installed."""
    suffix = _optional(data)
    if suffix is None or not is_installed(suffix):
        return Image.open
    if suffix == ".jxl":
        importlib.import_module("pillow_jxl")  # its import registers the format
        return Image.open
    heif: Opener = importlib.import_module("pillow_heif").HeifImageFile
    return heif


def remedy_for(data: bytes) -> str:
    """Advice on an image that cannot be read."""
    suffix = _optional(data)
    if suffix is None or is_installed(suffix):
        return "give it a PNG, JPEG, WebP..."
    return f"pip install 's2lic[{OPTIONAL[suffix][0]}]' adds {suffix} files"


def _optional(data: bytes) -> str | None:
    if data.startswith(_JXL):
        return ".jxl"
    brands = data[8 : int.from_bytes(data[:4], "big")] if data[4:8] == b"ftyp" else b""
    return ".heic" if brands[:4] in _HEIC_BRANDS and b"avif" not in brands[8:] else None
