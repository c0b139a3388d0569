"""The sizes of an entropy model, as data."""

from __future__ import annotations

from dataclasses import dataclass

Z_STRIDE = 4  # places of y per place of z, in each direction


@dataclass(frozen=True)
class EntropyRow:
    """`latent` is M, cut into `slices`; `hyper` and `side` are the channels inside h_a/h_s and of z.

    `context`, `attention`, `local` and `hidden` cap the widths of AC, AG, the checkerboard context and of
    g_ep / LRP; a slice of fewer channels uses its own number.
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
