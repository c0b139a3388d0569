"""How near files come to a target, and what that costs in plain encodes: scripts/check_targets.py DIR [COUNT]."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from s2lic.codec import Codec


def psnr(a: Image.Image, b: Image.Image) -> float:
    return float(10 * np.log10(255**2 / np.mean((np.asarray(a, float) - np.asarray(b, float)) ** 2)))


def timed(codec: Codec, image: Image.Image, **how: float) -> tuple[bytes, float]:
    start = time.process_time()
    return codec.encode(image, **how), time.process_time() - start  # type: ignore[arg-type]


def main(folder: Path, count: int) -> None:
    codec = Codec()
    files = sorted(folder.glob("*.png"))[:count]
    misses: dict[str, list[float]] = {"bpp": [], "psnr": []}
    costs: dict[str, list[float]] = {"bpp": [], "psnr": []}
    for path in files:
        image = Image.open(path).convert("RGB")
        timed(codec, image)
        _, plain = timed(codec, image)
        for bpp, level in ((0.45, 33.0), (0.8, 34.5)):
            data, spent = timed(codec, image, target_bpp=bpp)
            misses["bpp"].append(abs(8 * len(data) / math.prod(image.size) / bpp - 1))
            costs["bpp"].append(spent / plain)
            data, spent = timed(codec, image, target_psnr=level)
            misses["psnr"].append(abs(psnr(codec.decode(data), image) - level))
            costs["psnr"].append(spent / plain)
    for kind, missed in misses.items():
        cost = costs[kind]
        print(f"{kind}: missed by {np.mean(missed):.4f} on average, {max(missed):.4f} at most; "
              f"{np.mean(cost):.2f} plain encodes on average, {max(cost):.2f} at most")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 24)
