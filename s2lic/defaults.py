"""What an encoder and a decoder do unless the caller says otherwise; this module does not import torch."""

from __future__ import annotations

# Searching a picture that is large enough for tiles takes minutes, so that it has to be asked for.
EFFORT_TILED, EFFORT_MAX = 0, 9
# A round for weights that are tuned for the eye takes about three times as long, and the first two gain most.
EFFORTS = {"psnr": 5, "visual": 2}
# The shorter side in pixels from which on a picture is searched by default: MS-SSIM has no value below.
SEARCHED_FROM = {"psnr": 1, "visual": 161}

DEFAULT_QUALITY = 50.0

# What the weights of a set were trained for: pictures that look like the original, or a high PSNR.
TUNES = ("visual", "psnr")

DEFAULT_MAX_PIXELS = 2**26

# The side of the tiles of a large picture. The largest is what a reader can be asked to hold in memory at once; the
# smallest leaves room for a halo on both sides.
SIDE = 1024
SIDE_MIN, SIDE_MAX = 256, 2048
