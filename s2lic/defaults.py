"""What an encoder and a decoder do unless the caller says otherwise; this module does not import torch."""

from __future__ import annotations

# Searching a picture that is large enough for tiles takes minutes, so that it has to be asked for.
EFFORT_TILED, EFFORT_MAX = 0, 9
# The search lowers the squared error. For weights that are tuned for the eye it costs 1.6 % more bits at equal
# SSIMULACRA2 (six validation pictures, effort 5 against 0), so they have none by default.
EFFORTS = {"psnr": 5, "visual": 0}

DEFAULT_QUALITY = 50.0

# What the weights of a set were trained for: pictures that look like the original, or a high PSNR.
TUNES = ("visual", "psnr")

DEFAULT_MAX_PIXELS = 2**26

# The side of the tiles of a large picture. The largest is what a reader can be asked to hold in memory at once; the
# smallest leaves room for a halo on both sides.
SIDE = 1024
SIDE_MIN, SIDE_MAX = 256, 2048
