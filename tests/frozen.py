"""The frozen model and the two tracked pictures that streams in the tests are made with."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import Image

from s2lic.codec import Codec

FOLDER = Path(__file__).parent
MODEL = FOLDER / "models" / "tiny.safetensors"
PICTURES = ("portrait", "shapes")


@cache
def codec(precision: str = "float32") -> Codec:
    """One codec for all tests of a run."""
    return Codec(MODEL, precision=precision)


def picture(name: str, mode: str = "RGB", size: tuple[int, int] | None = None) -> Image.Image:
    """A tracked picture, or its top left corner of `size`, enlarged first where it is too small."""
    with Image.open(FOLDER / "pictures" / f"{name}.png") as opened:
        image = opened.convert(mode)
    if size is None:
        return image
    factor = max(1, -(-size[0] // image.width), -(-size[1] // image.height))
    return image.resize((factor * image.width, factor * image.height)).crop((0, 0, *size))
