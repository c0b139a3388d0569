"""Training pictures on a GPU: the same crops as `Photos` cuts, without a byte crossing the bus in training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from s2lic.train.data import ALL, Cut, Photos, draw_cuts


@dataclass(frozen=True)
class Resident:
    """The pictures of `photos` as uint8 (H, W, 3) on a device. Scaled crops differ from Lanczos' by a few levels."""

    photos: Photos
    pictures: list[Tensor]

    @staticmethod
    def of(photos: Photos, device: torch.device) -> Resident:
        return Resident(photos, [torch.from_numpy(p.copy()).to(device) for p in photos.pictures])

    @property
    def least(self) -> int:
        return self.photos.least

    def batch(self, size: int, crop: int, seed: tuple[int, ...], rows: slice = ALL) -> Tensor:
        """(size, 3, crop, crop) in [0, 1]; the same seed gives the same cuts as `Photos.batch`."""
        sizes = [(p.shape[0], p.shape[1]) for p in self.pictures]
        cuts = draw_cuts(sizes, self.photos.weights, size, crop, seed)
        return torch.stack([_cut_out(self.pictures[cut.picture], cut, crop) for cut in cuts[rows]])

    def beside(self, size: int, crop: int, seed: tuple[int, ...], rows: slice = ALL) -> Tensor | None:
        return self.photos.beside(size, crop, seed, rows)


def _cut_out(picture: Tensor, cut: Cut, crop: int) -> Tensor:
    square = picture[cut.top : cut.top + cut.side, cut.left : cut.left + cut.side].permute(2, 0, 1).float() / 255
    if cut.side != crop:
        scaled = F.interpolate(square[None], (crop, crop), mode="bicubic", antialias=True, align_corners=False)
        square = (scaled[0].clamp(0, 1) * 255).round() / 255
    square = torch.rot90(square, cut.turns, (1, 2))
    return square.flip(2) if cut.mirrored else square
