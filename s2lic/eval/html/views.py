"""What the viewer shows: a picture's original, and beside it its versions by several codecs."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from s2lic.images.save import encode_image

CROP = (448, 336)


@dataclass(frozen=True)
class Version:
    """The middle of a picture as one codec left it, as lossless WebP."""

    name: str
    caption: str
    webp: bytes


@dataclass(frozen=True)
class PictureView:
    """The versions of one picture, all of `width` x `height`, the original first."""

    picture: str
    width: int
    height: int
    versions: tuple[Version, ...]


def crop_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of what is shown of a picture, at most `CROP`."""
    return min(CROP[0], image.width), min(CROP[1], image.height)


def middle(image: Image.Image) -> bytes:
    """The middle of a picture, at most `CROP`, as lossless WebP. Raises OutputFormatError."""
    width, height = crop_size(image)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return encode_image(image.crop((left, top, left + width, top + height)), ".webp")
