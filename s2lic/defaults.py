"""What an encoder and a decoder do unless the caller says otherwise; no torch here."""

from __future__ import annotations

from s2lic.errors import UsageError

# A picture in tiles has so many pixels that a search takes minutes: it is made when asked for.
EFFORT, EFFORT_TILED, EFFORT_MAX = 5, 0, 9

DEFAULT_QUALITY = 50.0

# What the weights of a set were trained for: pictures that look like the original, or a high PSNR.
TUNES = ("visual", "psnr")

DEFAULT_MAX_PIXELS = 2**26

# The side of the tiles of a large picture: what a reader is ready to hold in memory at once, and what leaves room for a
# halo on both sides.
SIDE = 1024
SIDE_MIN, SIDE_MAX = 256, 2048


def check_effort(effort: int | None) -> int | None:
    """The number of rounds that an encoder searches, 0 to 9, or None for the usual one. Raises UsageError."""
    if effort is not None and not 0 <= effort <= EFFORT_MAX:
        raise UsageError(f"effort {effort} is outside 0..{EFFORT_MAX}")
    return effort


def rounds(effort: int | None, tiled: bool) -> int:
    """The number of rounds for a picture in one stream or in tiles."""
    if effort is None:
        return EFFORT_TILED if tiled else EFFORT
    return effort
