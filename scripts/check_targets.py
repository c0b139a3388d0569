"""Measures how close files come to a target, and the CPU time relative to a plain encode.

    python scripts/check_targets.py DIR [--count 3] [--tile 256] [--effort 0]

Targets per image: two rates, each also as a size in bytes, and two PSNRs. `--tile` splits smaller images
into tiles too.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import torch
import typer
from PIL import Image

from s2lic.codec import Codec
from s2lic.defaults import EFFORT, SIDE

RATES, LEVELS = (0.45, 0.8), (33.0, 34.5)
MISSED_MAX = {"bpp": 0.01, "size": 0.01, "psnr": 0.05}
COST_MAX = 3.0


def psnr(a: Image.Image, b: Image.Image) -> float:
    return float(10 * np.log10(255**2 / np.mean((np.asarray(a, float) - np.asarray(b, float)) ** 2)))


def timed(codec: Codec, image: Image.Image, effort: int, **how: float) -> tuple[bytes, float]:
    start = time.process_time()
    return codec.encode(image, effort=effort, **how), time.process_time() - start  # type: ignore[arg-type]


def tried(codec: Codec, image: Image.Image, effort: int, kind: str, goal: float) -> tuple[float, float]:
    """The deviation from a target, relative or in dB, and the seconds it took."""
    data, spent = timed(codec, image, effort, **{f"target_{kind}": goal})
    if kind == "psnr":
        return abs(psnr(codec.decode(data), image) - goal), spent
    got = len(data) if kind == "size" else 8 * len(data) / math.prod(image.size)
    return abs(got / goal - 1), spent


def main(folder: Path, count: int = 24, tile: int = SIDE, effort: int = EFFORT) -> None:
    torch.set_num_threads(1)
    codec, over = Codec(tile=tile), 0
    rows: dict[str, list[tuple[float, float]]] = {kind: [] for kind in MISSED_MAX}
    for path in sorted(folder.glob("*.png"))[:count]:
        image = Image.open(path).convert("RGB")
        timed(codec, image, effort)
        plain = min(timed(codec, image, effort)[1] for _ in range(2))
        sizes = [round(rate * math.prod(image.size) / 8) for rate in RATES]
        for kind, goals in (("bpp", RATES), ("size", sizes), ("psnr", LEVELS)):
            for goal in goals:
                missed, spent = tried(codec, image, effort, kind, goal)
                rows[kind].append((missed, spent / plain))
                typer.echo(f"{path.name} {kind} {goal:g}: missed by {missed:.4f}, {spent / plain:.2f} plain encodes")
    for kind, found in rows.items():
        missed, cost = np.array(found).T
        over += int((missed > MISSED_MAX[kind]).sum() + (cost > COST_MAX).sum())
        typer.echo(
            f"{kind}: missed by {missed.mean():.4f} on average, {missed.max():.4f} at most; "
            f"{cost.mean():.2f} plain encodes on average, {cost.max():.2f} at most"
        )
    raise typer.Exit(over > 0)


if __name__ == "__main__":
    typer.run(main)
