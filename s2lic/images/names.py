"""The extensions of files that count as images in a folder."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

# Image formats that Pillow reads by itself. Pillow also registers extensions of videos, documents and scientific data
# (.mpg, .eps, .h5). Such a file is read only if it is named explicitly.
PICTURES = frozenset(
    [
        ".apng",
        ".avif",
        ".avifs",
        ".bmp",
        ".dds",
        ".dib",
        ".gif",
        ".icns",
        ".ico",
        ".j2c",
        ".j2k",
        ".jfif",
        ".jp2",
        ".jpc",
        ".jpe",
        ".jpeg",
        ".jpf",
        ".jpg",
        ".jpx",
        ".mpo",
        ".pbm",
        ".pcx",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".psd",
        ".qoi",
        ".rgb",
        ".rgba",
        ".sgi",
        ".tga",
        ".tif",
        ".tiff",
        ".webp",
    ]
)
# Formats that an extra of this package reads: extension -> (extra, module that it installs).
OPTIONAL = {
    **dict.fromkeys((".heic", ".heif", ".heics", ".heifs", ".hif"), ("heif", "pillow_heif")),
    ".jxl": ("jxl", "pillow_jxl"),
}
# Raw camera files, which must be developed first.
RAW = frozenset(
    (
        ".3fr",
        ".arw",
        ".cr2",
        ".cr3",
        ".dng",
        ".erf",
        ".iiq",
        ".nef",
        ".nrw",
        ".orf",
        ".pef",
        ".raf",
        ".rw2",
        ".srw",
    )
)


def is_picture_name(path: Path) -> bool:
    """Whether the format of the extension can be read with the installed packages."""
    suffix = path.suffix.lower()
    return suffix in PICTURES or (suffix in OPTIONAL and is_installed(suffix))


def is_installed(suffix: str) -> bool:
    """Whether the extra that reads a format of `OPTIONAL` is installed."""
    return importlib.util.find_spec(OPTIONAL[suffix][1]) is not None


def unreadable_pictures(paths: Iterable[Path]) -> str:
    """A message on how many of `paths` are unreadable images, and what to do about it; empty if there are none."""
    counts = Counter(suffix for path in paths if (suffix := path.suffix.lower()) in OPTIONAL or suffix in RAW)
    return "; ".join(f"{count} {suffix} ({_remedy(suffix)})" for suffix, count in sorted(counts.items()))


def _remedy(suffix: str) -> str:
    if suffix in RAW:
        return "raw files: develop them first"
    return f"pip install 's2lic[{OPTIONAL[suffix][0]}]' reads them"
