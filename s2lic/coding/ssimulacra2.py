"""SSIMULACRA2 in torch, differentiable in the distorted picture (Sneyers 2023, Cloudinary, version 2.1).

The metric compares two pictures in the colour space XYB over six scales. At each scale and channel it takes the mean
and the 4-norm of three maps: structural error, ringing and blur. The weighted sum of these 108 numbers goes through a
polynomial (`distance`) and then a power (`score`). A picture of less than 225 pixels a side has fewer scales; each
weight stays with its own scale then, whereas the original implementation shifts them.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

SCALES, SIDE_MIN = 6, 8
C2 = 0.0009  # keeps the structural error finite where both pictures are flat
SIGMA, RADIUS = 1.5, 5
# From linear RGB to the response of the three cones, as libjxl defines XYB.
OPSIN = (
    (0.30, 0.622, 0.078),
    (0.23, 0.692, 0.078),
    (0.24342268924547819, 0.20476744424496821, 0.5518098665095536),
)
OPSIN_BIAS = 0.0037930732552754493
POLYNOMIAL = (2.326765642916932, -0.020884521182843837, 6.248496625763138e-05)
SUM_SCALE, POWER = 0.9562382616834844, 0.6276336467831387
# One row per channel (X, Y, B - Y) and scale: structural error, ringing and blur by their means, then by their 4-norms.
WEIGHTS = (
    (0.0, 0.0007376607, 0.0, 0.0, 0.0007793482, 0.0),
    (0.0, 0.0004371156, 0.0, 1.104173, 0.0006628483, 0.0001523163),
    (0.0, 0.001640644, 0.0, 1.842246, 11.44117, 0.0),
    (0.0007989109, 0.0001768164, 0.0, 1.878759, 10.94907, 0.0),
    (
        0.0007289347,
        0.9677937,
        0.0,
        0.0001400342,
        0.9981767,
        0.0003194976,
    ),
    (0.0004550992, 0.0, 0.0, 0.001364877, 0.0, 0.0),
    (0.0, 0.0, 0.0, 7.46689, 0.0, 17.44583),
    (0.0006235602, 0.0, 0.0, 6.683678, 0.0003772441, 1.02789),
    (225.2052, 0.0, 0.0, 19.21324, 0.001140152, 0.001237756),
    (176.3932, 0.0, 0.0, 24.43301, 0.285208, 0.0004485437),
    (0.0, 0.0, 0.0, 34.77906, 44.83563, 0.0),
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (0.0, 0.0008680557, 0.0, 0.0, 0.0, 0.0),
    (0.0, 0.0005313192, 0.0, 0.0001653381, 0.0, 0.0),
    (0.0, 0.0, 0.0, 0.0004179172, 0.001729083, 0.0),
    (0.002082701, 0.0, 0.0, 8.826983, 23.19243, 0.0),
    (
        95.10805,
        0.9863978,
        0.9834383,
        0.001228641,
        171.2667,
        0.9807859,
    ),
    (0.0, 0.0, 0.0, 0.0005130065, 0.0, 0.0001085406),
)

# Rows whose weights all lie below this are skipped: they change a score by less than 0.2 points and cost a third of the
# time.
WEIGHT_MIN = 0.01


def score(reference: Tensor, distorted: Tensor) -> Tensor:
    """The SSIMULACRA2 score of each picture, (B,): 100 for equal pictures, and below 0 for very poor ones.

    Args:
        reference, distorted: (B, 3, H, W) sRGB in [0, 1], at least 8 pixels a side.
    """
    return 100 - 10 * distance(reference, distorted).clamp(min=0) ** POWER


def distance(reference: Tensor, distorted: Tensor) -> Tensor:
    """The weighted sum after its polynomial and before the power, (B,): 0 for equal pictures, 13 at a score of 50.

    This is what training minimises. The score itself has an infinite slope at 100.

    Args:
        reference, distorted: (B, 3, H, W) sRGB, clipped to [0, 1] first, at least 8 pixels a side.
    """
    first, second = _linear(reference), _linear(distorted)
    total = first.new_zeros(len(first))
    for scale in range(SCALES):
        if min(first.shape[2:]) < SIDE_MIN:
            break
        total = total + _at_scale(_xyb(first), _xyb(second), scale)
        first, second = _halved(first), _halved(second)
    total = SUM_SCALE * total
    return sum(factor * total ** (i + 1) for i, factor in enumerate(POLYNOMIAL))  # type: ignore[return-value]


def _at_scale(first: Tensor, second: Tensor, scale: int) -> Tensor:
    """The weighted means of one scale, (B,)."""
    rows = [WEIGHTS[channel * SCALES + scale] for channel in range(3)]
    used = [channel for channel, row in enumerate(rows) if max(row) >= WEIGHT_MIN]
    if not used:
        return first.new_zeros(len(first))
    means = _means(first[:, used], second[:, used])  # (B, C, 6)
    return (means * means.new_tensor([rows[channel] for channel in used])).sum((1, 2))


def _means(first: Tensor, second: Tensor) -> Tensor:
    """(B, C, H, W) twice -> (B, C, 6): the means and 4-norms of structural error, ringing and blur."""
    mu1, s11 = _blurred(torch.stack([first, first * first]))
    mu2, s22, s12 = _blurred(torch.stack([second, second * second, first * second]))
    contrast = (2 * (s12 - mu1 * mu2) + C2) / (s11 - mu1 * mu1 + s22 - mu2 * mu2 + C2)
    structure = (1 - (1 - (mu1 - mu2) ** 2) * contrast).clamp(min=0)
    edges = (1 + (second - mu2).abs()) / (1 + (first - mu1).abs()) - 1
    maps = torch.stack([structure, edges.clamp(min=0), (-edges).clamp(min=0)], dim=2).flatten(3)
    squared = maps * maps
    # The constant keeps the slope of the root finite for equal pictures.
    norms = ((squared * squared).mean(3) + 1e-24) ** 0.25
    return torch.cat([maps.mean(3), norms], dim=2)


def _linear(x: Tensor) -> Tensor:
    """sRGB to linear RGB."""
    x = x.clamp(0, 1)
    return torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def _xyb(linear: Tensor) -> Tensor:
    """Linear RGB to XYB, shifted and scaled so that all three lie roughly in 0..1."""
    cones = torch.einsum("dc,bchw->bdhw", linear.new_tensor(OPSIN), linear) + OPSIN_BIAS
    long, middle, short = (cones ** (1 / 3) - OPSIN_BIAS ** (1 / 3)).unbind(1)
    x, y = (long - middle) / 2, (long + middle) / 2
    return torch.stack([14 * x + 0.42, y + 0.01, short - y + 0.55], dim=1)


def _halved(x: Tensor) -> Tensor:
    """Means of 2 x 2 pixels; an odd last row or column is a mean of what it has."""
    return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def _blurred(x: Tensor) -> Tensor:
    """A Gaussian of SIGMA over the last two axes, with zeros left and right of the picture, its mirror above and below.

    The edges are those of the Python package `ssimulacra2`.
    """
    across, down = _band(x.shape[-1], False), _band(x.shape[-2], True)
    return down.to(x) @ (x @ across.to(x))


@cache
@torch.inference_mode(False)  # training may use what a measurement made first
def _band(side: int, mirrored: bool) -> Tensor:
    """The blur along one axis as a matrix (side, side), which is faster than a convolution of a single channel."""
    offsets = torch.arange(-RADIUS, RADIUS + 1)
    taps = torch.softmax(-(offsets.double() ** 2) / (2 * SIGMA**2), 0)
    to = torch.arange(side)[:, None].expand(side, len(taps))
    place = to + offsets
    inside = (place >= 0) & (place < side)
    if mirrored:
        place = torch.where(place < 0, -1 - place, torch.where(place >= side, 2 * side - 1 - place, place))
        inside = torch.ones_like(inside)
    values = (taps.expand_as(place) * inside).flatten()
    band = torch.zeros(side, side, dtype=torch.float64)
    band.index_put_((to.flatten(), place.clamp(0, side - 1).flatten()), values, accumulate=True)
    return band
