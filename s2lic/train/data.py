"""Training pictures in memory, and random crops of them that depend only on the seed and the step."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from s2lic.errors import InputMissingError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
SCALE_MIN = 0.5
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Photos:
    """Decoded pictures (H, W, 3), each drawn in proportion to its area."""

    pictures: list[Pixels]
    weights: NDArray[np.float64]

    @staticmethod
    def load(folders: list[Path], least: int) -> Photos:
        """Every picture of at least `least` pixels a side under the folders. Raises InputMissingError."""
        files = sorted(p for f in folders for p in f.rglob("*") if p.suffix.lower() in SUFFIXES)
        if not files:
            raise InputMissingError(f"no pictures under {', '.join(map(str, folders))}")
        with ThreadPoolExecutor() as pool:
            pictures = [p for p in pool.map(_read, files) if min(p.shape[:2]) >= least]
        if not pictures:
            raise InputMissingError(f"no picture has {least} pixels a side: give a smaller --crop")
        area = np.array([p.shape[0] * p.shape[1] for p in pictures], dtype=np.float64)
        return Photos(pictures, area / area.sum())

    @property
    def least(self) -> int:
        """The largest square crop that fits every picture, cut down to a multiple of 64."""
        return min(min(p.shape[:2]) for p in self.pictures) // 64 * 64

    def batch(self, size: int, crop: int, seed: tuple[int, ...]) -> Tensor:
        """(size, 3, crop, crop) in [0, 1], channels_last; the same seed gives the same batch."""
        rng = np.random.default_rng(seed)
        picked = rng.choice(len(self.pictures), size, p=self.weights)
        crops = np.stack([_crop(self.pictures[i], crop, rng) for i in picked])
        return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255


def _read(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _crop(picture: Pixels, crop: int, rng: np.random.Generator) -> Pixels:
    """A crop, half of the time scaled down by up to 2, flipped and turned at random."""
    height, width = picture.shape[:2]
    largest = min(crop / SCALE_MIN, height, width)
    side = int(rng.uniform(crop, largest + 1)) if rng.random() < 0.5 else crop
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    cut = picture[top : top + side, left : left + side]
    if side != crop:
        cut = np.asarray(Image.fromarray(cut).resize((crop, crop), Image.Resampling.LANCZOS))
    cut = np.rot90(cut, int(rng.integers(4)))
    return cut[:, ::-1] if rng.random() < 0.5 else cut


class Prefetch:
    """The batches of successive steps, each cut while the step before it runs."""

    def __init__(self, photos: Photos, size: int, crop: int, seed: int) -> None:
        self._arguments = (photos, size, crop, seed)
        self._pool = ThreadPoolExecutor(1)
        self._ahead: tuple[int, Future[Tensor]] | None = None

    def __call__(self, step: int) -> Tensor:
        ahead = self._ahead if self._ahead and self._ahead[0] == step else (step, self._cut(step))
        self._ahead = (step + 1, self._cut(step + 1))
        return ahead[1].result()

    def _cut(self, step: int) -> Future[Tensor]:
        photos, size, crop, seed = self._arguments
        return self._pool.submit(photos.batch, size, crop, (seed, step))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
