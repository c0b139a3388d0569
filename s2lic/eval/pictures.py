"""Reads the originals of an evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from s2lic.errors import ImageError, LossyConversionError, UnsupportedModeError
from s2lic.eval.records import EvalPicture, Failure
from s2lic.files import read_bytes
from s2lic.images.load import read_image

MODES = ("RGB", "L")
OPAQUE = {"RGBA": "RGB", "LA": "L"}


def read(paths: Sequence[Path]) -> tuple[list[EvalPicture], list[Failure]]:
    """Reads files as pictures with unique names, and failures. Raises InputMissingError."""
    found = [_read(name, path) for name, path in zip(_names(paths), paths, strict=True)]
    return [row for row in found if isinstance(row, EvalPicture)], [row for row in found if isinstance(row, Failure)]


def _read(name: str, path: Path) -> EvalPicture | Failure:
    data = read_bytes(path)
    try:
        image = open_rgb(data)
    except ImageError as error:
        return Failure(name, type(error).__name__, f"{path.name}: {error}")
    return EvalPicture(name, str(path), hashlib.sha256(data).hexdigest(), *image.size)


def open_rgb(source: bytes | str) -> Image.Image:
    """Opens a picture without metadata, which would cost bytes, and without an opaque alpha channel.

    Raises what `read_image` raises, UnsupportedModeError and LossyConversionError.
    """
    picture = read_image(source, strip=True)
    image = _without_idle_alpha(picture.image)
    if losses := [note.text for note in picture.notes if note.lossy]:
        raise LossyConversionError(f"no original to compare with: {'; '.join(losses)}; convert it to 8-bit RGB first")
    if image.mode not in MODES:
        raise UnsupportedModeError(
            "codecs are compared on RGB and grey pictures; put this transparent one onto a background first"
        )
    return image


def _without_idle_alpha(image: Image.Image) -> Image.Image:
    if image.mode not in OPAQUE or np.asarray(image.getchannel("A")).min() < 255:
        return image
    return image.convert(OPAQUE[image.mode])


def _names(paths: Sequence[Path]) -> list[str]:
    """The stem of each file, with a number if it is already in use."""
    names: list[str] = []
    for path in paths:
        taken = sum(name == path.stem or name.startswith(f"{path.stem}~") for name in names)
        names.append(f"{path.stem}~{taken + 1}" if taken else path.stem)
    return names
