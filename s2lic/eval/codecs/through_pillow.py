"""Codecs that Pillow or one of its plugins has."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import PIL
from PIL import Image, features

from s2lic.errors import ExtraMissingError
from s2lic.eval.codecs.row import Coder


class PillowCoder(Coder):
    """A format by its name in Pillow; `settings` turns a quality into what `Image.save` takes."""

    def __init__(self, form: str, settings: Callable[[float], dict[str, Any]], library: str, told: str) -> None:
        self.form, self.settings = form, settings
        self.identity = f"Pillow {PIL.__version__}, {library}, {told}"

    def encode(self, image: Image.Image, quality: float) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, format=self.form, **self.settings(quality))
        return buffer.getvalue()

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        with Image.open(io.BytesIO(data), formats=[self.form]) as image:
            image.load()
            return image


def library(name: str, feature: str) -> str:
    """The name and version of a library that Pillow was built with. Raises ExtraMissingError."""
    if not features.check(feature):
        raise ExtraMissingError(f"this Pillow was built without {name}; install a wheel: pip install -U pillow")
    return f"{name} {features.version(feature)}"
