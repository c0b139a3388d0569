"""Salient relevance: context-aware saliency of a relevance map (Li et al. 2017; Goferman et al. 2012).

The paper does not give its constants. These are those of Goferman et al.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 64  # the search compares all pairs of patches
PATCH = 7
SCALES = (1.0, 0.8, 0.5, 0.3)
CANDIDATES = (1.0, 0.5, 0.25)
NEAREST = 64
POSITION_WEIGHT = 3.0
FOCUS = 0.8
CHUNK = 512


def salience(relevance: Tensor) -> Tensor:
    """The saliency of |relevance| (H, W), 0 to 1: high where patches differ from their most similar ones."""
    height, width = relevance.shape
    share = SIDE / max(height, width, SIDE)
    small = _resized(relevance.abs().float()[None, None], (height * share, width * share))
    small = small / small.max().clamp(min=1e-30)
    size = small.shape[2:]
    maps = [F.interpolate(_at_scale(small, scale), size, mode="bilinear", align_corners=False) for scale in SCALES]
    return _resized(torch.stack(maps).mean(0), (height, width))[0, 0]


def _at_scale(x: Tensor, scale: float) -> Tensor:
    """S (1 - distance to the nearest focus) of a map (1, 1, H, W), at one scale."""
    height, width = x.shape[2:]
    own = _resized(x, (height * scale, width * scale))
    values, places = _patches(own)
    others = [_patches(_resized(x, (height * scale * part, width * scale * part))) for part in CANDIDATES]
    candidates, at = torch.cat([v for v, _ in others]), torch.cat([p for _, p in others])
    distance = torch.cat(
        [_nearest(v, p, candidates, at) for v, p in zip(values.split(CHUNK), places.split(CHUNK), strict=True)]
    )
    found = 1 - torch.exp(-distance)
    found = found / found.max().clamp(min=1e-30)
    return (found * (1 - _to_focus(found, places))).view(own.shape)


def _nearest(values: Tensor, places: Tensor, candidates: Tensor, at: Tensor) -> Tensor:
    """The mean distance to the most similar patches."""
    unlike = torch.cdist(values, candidates) / PATCH
    distance = unlike / (1 + POSITION_WEIGHT * torch.cdist(places, at))
    return distance.topk(min(NEAREST, distance.shape[1]), dim=1, largest=False).values.mean(1)


def _to_focus(found: Tensor, places: Tensor) -> Tensor:
    foci = places[found > FOCUS]
    if not len(foci):
        return torch.zeros_like(found)
    distance = torch.cdist(places, foci).amin(1)
    return distance / distance.max().clamp(min=1e-30)


def _patches(x: Tensor) -> tuple[Tensor, Tensor]:
    """The patch around each position, (N, PATCH^2), and the positions, (N, 2), relative to the longer side."""
    height, width = x.shape[2:]
    values = F.unfold(F.pad(x, (PATCH // 2,) * 4, mode="replicate"), PATCH)[0].T
    rows, cols = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return values, torch.stack([rows.flatten(), cols.flatten()], 1) / max(height, width)


def _resized(x: Tensor, size: tuple[float, float]) -> Tensor:
    height, width = (max(round(side), 1) for side in size)
    if height > x.shape[2] or width > x.shape[3]:
        return F.interpolate(x, (height, width), mode="bilinear", align_corners=False)
    return F.adaptive_avg_pool2d(x, (height, width))
