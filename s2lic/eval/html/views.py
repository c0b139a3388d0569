"""The pictures of the viewer: an original and its versions by several codecs."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from s2lic.images.save import encode_image

CROP = (448, 336)


@dataclass(frozen=True)
class Version:
    """The centre of a decoded picture, as lossless WebP."""

    name: str
    caption: str
    webp: bytes


@dataclass(frozen=True)
class PictureView:
    """All versions of one picture, `width` x `height` each, the original first."""

    picture: str
    width: int
    height: int
    versions: tuple[Version, ...]


def crop_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of the centre crop, at most `CROP`."""
    return min(CROP[0], image.width), min(CROP[1], image.height)


def middle(image: Image.Image) -> bytes:
    """The centre of a picture, at most `CROP`, as lossless WebP. Raises OutputFormatError."""
    width, height = crop_size(image)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return encode_image(image.crop((left, top, left + width, top + height)), ".webp")
