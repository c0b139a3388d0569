"""Conversion between images and the boxes of their alpha and metadata."""

from __future__ import annotations

from collections.abc import Mapping

from PIL import Image

from s2lic.images.alpha import join, pack_alpha, split, unpack_alpha
from s2lic.images.metadata import metadata_of, with_metadata


def split_extras(picture: Image.Image, strip: bool = False) -> tuple[Image.Image, dict[str, bytes]]:
    """Split an image into its colour (RGB or L) and boxes of alpha and metadata, by name. `strip` drops metadata."""
    colour, alpha = split(picture)
    boxes = {} if strip else metadata_of(picture)
    if alpha is not None:
        boxes["alpha"] = pack_alpha(alpha)
    return colour, boxes


def alpha_of(
    boxes: Mapping[str, bytes], size: tuple[int, int], corners: tuple[int, int, int, int]
) -> Image.Image | None:
    """The alpha channel, if there is one. Raises AlphaError.

    Args:
        boxes: The boxes by name.
        size: Width and height of the picture.
        corners: The part to decode: left, top, right, bottom.
    """
    return unpack_alpha(boxes["alpha"], size, corners) if "alpha" in boxes else None


def join_extras(colour: Image.Image, alpha: Image.Image | None, boxes: Mapping[str, bytes]) -> Image.Image:
    """Join colour and alpha, and set the metadata in `info`."""
    return with_metadata(colour if alpha is None else join(colour, alpha), boxes)
