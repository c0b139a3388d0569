"""Trains a small codec with one block for some minutes, exports it, and measures it from written files."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import torch
from PIL import Image

from s2lic.codec import Codec
from s2lic.errors import InputMissingError
from s2lic.eval.complexity import cost
from s2lic.eval.memory import peak, with_peak
from s2lic.eval.metrics import psnr
from s2lic.eval.pictures import open_rgb
from s2lic.eval.records import Point, RDCurve
from s2lic.model import CONFIGS, variant
from s2lic.train.data import Photos
from s2lic.train.export import export_checkpoint
from s2lic.train.loop import Run
from s2lic.train.plan import Plan

QUALITIES = (5, 20, 35, 50, 65, 80, 95)
WARMUP = 20  # steps, of a few hundred in all
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
CLOCKS = {"cpu": time.process_time, "wall": time.monotonic}
Result = TypeVar("Result")


@dataclass(frozen=True)
class TrialSettings:
    """The settings of a comparison. `others` is the block at strides 2 and 4; the block under test is at stride 8.

    `pictures` limits the pictures per folder of `val`, in order of their names; None for all.
    """

    config: str
    minutes: float
    clock: str
    batch: int
    crop: int
    lr: float
    data: tuple[str, ...]
    val: tuple[str, ...]
    others: str = "bottleneck"
    pictures: int | None = None


@dataclass(frozen=True)
class BlockResult:
    """The measurements of one trained model.

    `points` has (quality, bpp, PSNR), means over the pictures, for each folder of `TrialSettings.val`. Times are CPU
    seconds per megapixel on one thread. `code_mib` is memory above what the process held before.
    """

    block: str
    seed: int
    steps: int
    parameters: int
    encode_kmac: float
    decode_kmac: float
    encode_s: float
    decode_s: float
    train_mib: float
    code_mib: float | None
    points: dict[str, list[tuple[float, float, float]]]

    def curve(self, folder: str) -> RDCurve:
        points = tuple(Point(bpp, db, quality=quality) for quality, bpp, db in self.points[folder])
        return RDCurve(f"{self.block}, seed {self.seed}", self.block, "", points, ("same",))


def name_of(settings: TrialSettings, block: str) -> str:
    """The name of the configuration with the block at stride 8. Raises BlockChoiceError."""
    return variant(CONFIGS[settings.config], (settings.others, settings.others, block)).name


def trial(settings: TrialSettings, block: str, seed: int, folder: Path) -> BlockResult:
    """Trains and measures one block in this process, on one thread. Continues a training in the folder."""
    torch.set_num_threads(1)
    weights = folder / "weights.safetensors"
    steps = _trained(settings, block, seed, folder, weights)
    train_mib = peak() / 2**20
    codec = Codec(weights)
    first = pictures_of(settings, settings.val[0])[0]
    codec.decode(codec.encode(open_rgb(str(first)), 50, effort=0))  # warm up
    _, code_mib = with_peak(lambda: codec.decode(codec.encode(open_rgb(str(first)), 50, effort=0)))
    times: list[tuple[float, float]] = []
    points = {
        val: [_point(codec, pictures_of(settings, val), q, folder, times) for q in QUALITIES] for val in settings.val
    }
    found = cost(name_of(settings, block))
    shown = (found.parameters, found.encode, found.decode, fmean(t[0] for t in times), fmean(t[1] for t in times))
    return BlockResult(block, seed, steps, *shown, train_mib, code_mib, points)


def _trained(settings: TrialSettings, block: str, seed: int, folder: Path, weights: Path) -> int:
    """Trains, writes the weights, and returns the number of steps."""
    plan = Plan(
        config=name_of(settings, block),
        out=folder,
        minutes=settings.minutes,
        batch=settings.batch,
        crop=settings.crop,
        lr=settings.lr,
        warmup=WARMUP,
        seed=seed,
    )
    run = Run(plan, Photos.load([Path(d) for d in settings.data], settings.crop), clock=CLOCKS[settings.clock])
    run.go()
    export_checkpoint(run.path, weights, [Path(d) for d in settings.data], settings.crop, force=True)
    return run.step


def pictures_of(settings: TrialSettings, folder: str) -> list[Path]:
    """The pictures of a folder to measure. Raises InputMissingError if there are none."""
    files = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        raise InputMissingError(f"no pictures in {folder}")
    return files[: settings.pictures]


def _point(
    codec: Codec, pictures: Sequence[Path], quality: float, folder: Path, times: list[tuple[float, float]]
) -> tuple[float, float, float]:
    """Quality, mean bits per pixel of the files, and mean PSNR of the decoded pictures."""
    rates, levels = [], []
    for path in pictures:
        image, file = open_rgb(str(path)), folder / "files" / f"{path.stem}-{quality:g}.s2lic"
        data, encode_s = _timed(partial(codec.encode, image, quality, effort=0))
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
        decoded, decode_s = _timed(partial(_decode, codec, file))
        assert isinstance(decoded, Image.Image)
        pixels = image.width * image.height
        rates.append(8 * file.stat().st_size / pixels)
        levels.append(psnr(image, decoded))
        times.append((1e6 * encode_s / pixels, 1e6 * decode_s / pixels))
    return quality, fmean(rates), fmean(levels)


def _decode(codec: Codec, file: Path) -> Image.Image:
    return codec.decode(file.read_bytes())


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    began = time.process_time()
    return work(), time.process_time() - began
