"""The sizes of an entropy model, as data."""

from __future__ import annotations

from dataclasses import dataclass

Z_STRIDE = 4  # positions of y per position of z, in each direction


@dataclass(frozen=True)
class EntropyRow:
    """`latent` is M, the sum of `slices`. `hyper` is the width of h_a and h_s, and `side` the number of channels of z.

    `context`, `attention`, `local`, `hidden` and `lrp` limit the widths of AC, AG, the checkerboard context, g_ep and
    LRP. A slice of fewer channels uses its own number.
    """

    latent: int
    slices: tuple[int, ...]
    hyper: int
    side: int
    anchors: int
    context: int
    attention: int
    head_width: int
    local: int
    hidden: int
    lrp: int
    sigma_max: float
