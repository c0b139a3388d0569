"""The originals of an evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from s2lic.errors import ImageError, UnsupportedModeError
from s2lic.eval.records import Failure, Picture
from s2lic.files import read_bytes
from s2lic.images import read_image

MODES = ("RGB", "L")


def read(paths: Sequence[Path]) -> tuple[list[Picture], list[Failure]]:
    """Each file as a picture with a name of its own, or as the failure to read it. Raises InputMissingError."""
    found = [_read(name, path) for name, path in zip(_names(paths), paths, strict=True)]
    return [row for row in found if isinstance(row, Picture)], [row for row in found if isinstance(row, Failure)]


def _read(name: str, path: Path) -> Picture | Failure:
    data = read_bytes(path)
    try:
        image = open_rgb(data)
    except ImageError as error:
        return Failure(name, type(error).__name__, f"{path.name}: {error}")
    return Picture(name, str(path), hashlib.sha256(data).hexdigest(), *image.size)


def open_rgb(source: bytes | str) -> Image.Image:
    """The picture without metadata, so that no codec pays for it. Raises what `read_image` raises."""
    image = read_image(source, strip=True).image
    if image.mode not in MODES:
        raise UnsupportedModeError(f"codecs are compared on RGB and grey pictures of 8 bits, not on mode {image.mode}")
    return image


def _names(paths: Sequence[Path]) -> list[str]:
    """The stem of each file, with a number behind it where it has been taken."""
    names: list[str] = []
    for path in paths:
        taken = sum(name == path.stem or name.startswith(f"{path.stem}~") for name in names)
        names.append(f"{path.stem}~{taken + 1}" if taken else path.stem)
    return names
