"""Training pictures in memory, and random crops of them that depend only on the seed and the step."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from s2lic.coding.conditioning import check_vector, read_vector
from s2lic.errors import InputMissingError
from s2lic.files import is_folder
from s2lic.images.extras import split_extras
from s2lic.images.load import read_image

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
SCALE_MIN = 0.5
ALL = slice(None)
Pixels = NDArray[np.uint8]


class Source(Protocol):
    """A source of training batches: pictures in memory or on a GPU."""

    @property
    def least(self) -> int: ...

    def batch(self, size: int, crop: int, seed: tuple[int, ...], rows: slice = ALL) -> Tensor: ...

    def conditions(self, size: int, crop: int, seed: tuple[int, ...], rows: slice = ALL) -> Tensor | None: ...


@dataclass(frozen=True)
class Photos:
    """Decoded pictures (H, W, 3), their probabilities of being drawn, and their conditions (pictures, numbers), if any.

    A picture is drawn in proportion to its area.
    """

    pictures: list[Pixels]
    weights: NDArray[np.float64]
    known: NDArray[np.float32] | None = None

    @staticmethod
    def load(folders: list[Path], least: int, cond: int = 0) -> Photos:
        """Reads every picture under the folders that has at least `least` pixels per side.

        Args:
            folders: Where to look, subfolders included.
            least: The smallest side in pixels.
            cond: How many numbers condition g_a. `a.jpg` has them in `a.npy`.

        Raises:
            InputMissingError: A folder is missing, or holds no picture that is large enough.
            ConditionError: A .npy file is missing or holds something else.
            S2LICError: A picture cannot be read; see `read_image`.
        """
        files = sorted(file for folder in folders for file in _files(folder))
        with ThreadPoolExecutor() as pool:
            read = [(f, p) for f, p in zip(files, pool.map(_read, files), strict=True) if min(p.shape[:2]) >= least]
        pictures = [pixels for _, pixels in read]
        if not pictures:
            raise InputMissingError(f"no picture has {least} pixels a side: give a smaller --crop")
        area = np.array([p.shape[0] * p.shape[1] for p in pictures], dtype=np.float64)
        known = [check_vector(read_vector(file.with_suffix(".npy")), cond) for file, _ in read] if cond else None
        return Photos(pictures, area / area.sum(), None if known is None else np.stack(known))

    @property
    def least(self) -> int:
        """The largest square crop that fits every picture, cut down to a multiple of 64."""
        return min(min(p.shape[:2]) for p in self.pictures) // 64 * 64

    def batch(self, size: int, crop: int, seed: tuple[int, ...], rows: slice = ALL) -> Tensor:
        """(size, 3, crop, crop) in [0, 1], channels_last; the same seed gives the same batch.

        `rows` selects the rows of the batch that this process cuts.
        """
        cuts = self._cuts(size, crop, seed)[rows]
        crops = np.stack([_cut_out(self.pictures[cut.picture], cut, crop) for cut in cuts])
        return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255

    def conditions(self, size: int, crop: int, seed: tuple[int, ...], rows: slice = ALL) -> Tensor | None:
        """The conditions (size, numbers) of the pictures of that batch, or None if there are none."""
        if self.known is None:
            return None
        return torch.from_numpy(self.known[[cut.picture for cut in self._cuts(size, crop, seed)[rows]]])

    def _cuts(self, size: int, crop: int, seed: tuple[int, ...]) -> list[Cut]:
        return draw_cuts([(p.shape[0], p.shape[1]) for p in self.pictures], self.weights, size, crop, seed)


@dataclass(frozen=True)
class Cut:
    """A square of a picture that is scaled to the crop's side, rotated by quarter turns, and mirrored or not."""

    picture: int
    top: int
    left: int
    side: int
    turns: int
    mirrored: bool


def draw_cuts(
    sizes: list[tuple[int, int]], weights: NDArray[np.float64], count: int, crop: int, seed: tuple[int, ...]
) -> list[Cut]:
    """Draws random cuts of pictures of these sizes (H, W). Half of them are up to twice as large as the crop."""
    rng = np.random.default_rng(seed)
    picked = rng.choice(len(sizes), count, p=weights)
    return [_draw_cut(int(i), sizes[i], crop, rng) for i in picked]


def _draw_cut(picture: int, size: tuple[int, int], crop: int, rng: np.random.Generator) -> Cut:
    height, width = size
    largest = min(crop / SCALE_MIN, height, width)
    side = int(rng.uniform(crop, largest + 1)) if rng.random() < 0.5 else crop
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    return Cut(picture, int(top), int(left), side, int(rng.integers(4)), bool(rng.random() < 0.5))


def _files(folder: Path) -> list[Path]:
    if not is_folder(folder):
        raise InputMissingError(f"there is no folder {folder}; check the name")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not found:
        raise InputMissingError(f"there are no pictures under {folder}; training reads {', '.join(sorted(SUFFIXES))}")
    return found


def _read(path: Path) -> Pixels:
    """The colours that the codec codes; `split_extras` fills in those under alpha."""
    picture, _ = split_extras(read_image(path, max_pixels=None).image, strip=True)
    return np.asarray(picture.convert("RGB"))


def _cut_out(picture: Pixels, cut: Cut, crop: int) -> Pixels:
    square = picture[cut.top : cut.top + cut.side, cut.left : cut.left + cut.side]
    if cut.side != crop:
        square = np.asarray(Image.fromarray(square).resize((crop, crop), Image.Resampling.LANCZOS))
    square = np.rot90(square, cut.turns)
    return square[:, ::-1] if cut.mirrored else square


class Prefetch:
    """The batches of successive steps. The next batch is cut while a step runs."""

    def __init__(self, source: Source, size: int, crop: int, seed: int, rows: slice = ALL) -> None:
        self._arguments = (source, size, crop, seed, rows)
        self._pool = ThreadPoolExecutor(1)
        self._ahead: tuple[int, Future[Tensor]] | None = None

    def __call__(self, step: int) -> Tensor:
        ahead = self._ahead if self._ahead and self._ahead[0] == step else (step, self._cut(step))
        self._ahead = (step + 1, self._cut(step + 1))
        return ahead[1].result()

    def _cut(self, step: int) -> Future[Tensor]:
        source, size, crop, seed, rows = self._arguments
        return self._pool.submit(source.batch, size, crop, (seed, step), rows)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Resident:
    """The pictures of `photos` as uint8 (H, W, 3) on a device. Scaled crops differ from theirs by a few levels."""

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
        return torch.stack([_cut_on_device(self.pictures[cut.picture], cut, crop) for cut in cuts[rows]])

    def conditions(self, size: int, crop: int, seed: tuple[int, ...], rows: slice = ALL) -> Tensor | None:
        return self.photos.conditions(size, crop, seed, rows)


def _cut_on_device(picture: Tensor, cut: Cut, crop: int) -> Tensor:
    square = picture[cut.top : cut.top + cut.side, cut.left : cut.left + cut.side].permute(2, 0, 1).float() / 255
    if cut.side != crop:
        scaled = F.interpolate(square[None], (crop, crop), mode="bicubic", antialias=True, align_corners=False)
        square = (scaled[0].clamp(0, 1) * 255).round() / 255
    square = torch.rot90(square, cut.turns, (1, 2))
    return square.flip(2) if cut.mirrored else square
