"""A map of regions of interest, computed from the picture alone."""

from __future__ import annotations

from numpy.typing import ArrayLike
from PIL import Image

from s2lic.codec import Codec
from s2lic.eval.explain.bits import explain
from s2lic.eval.explain.overlay import regions, smoothed
from s2lic.eval.explain.salience import salience
from s2lic.images.alpha import split

SIDE, LEVEL = 512, 5000


def salient_regions(codec: Codec, picture: Image.Image, condition: ArrayLike | None = None) -> Image.Image:
    """A map that is white where bits stand out from their surroundings, computed at 512 pixels at most.

    `condition`: the numbers that a conditioned model reads. Raises ConditionError.
    """
    small = split(picture)[0].convert("RGB")
    small.thumbnail((SIDE, SIDE))
    return regions(salience(smoothed(explain(codec, small, LEVEL, condition).pixels)))
