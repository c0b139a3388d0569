"""Checks that onnxruntime decodes files like torch: equal symbols and y_hat, samples within one level.

    python -m scripts.check_runtimes DIR [--qualities 10,50,90] [--count N] [--model NAME]

Every image of DIR is encoded at each quality at effort 0, and both runtimes decode it several times on one thread.
Prints a line per file and the median times. Exit code 1 if any file differs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from s2lic.codec import Codec
from s2lic.errors import S2licError
from s2lic.images.names import is_picture_name
from s2lic.lite.codec import LiteCodec

REPEATS = 3
Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """A result, and the minimum time of a few repeats in seconds."""
    seconds, found = [], work()
    for _ in range(REPEATS):
        began = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - began)
    return found, min(seconds)


def compare(data: bytes, codec: Codec, lite: LiteCodec) -> tuple[str, float, float]:
    """The difference, or an empty text, and the seconds of torch and of onnxruntime."""
    expected, torch_seconds = timed(lambda: codec.decode(data))
    try:
        found, onnx_seconds = timed(lambda: lite.decode(data))
    except S2licError as error:  # among them SymbolChecksumError
        return f"{type(error).__name__}: {error}", torch_seconds, 0.0
    whole, ours = codec.open(data), lite.open(data)
    for cell in whole.layout.cells():
        if not np.allclose(whole.latent(cell).numpy(), ours.latent(cell), rtol=1e-6, atol=0):
            return f"y_hat of tile {cell} differs", torch_seconds, onnx_seconds
    far = np.abs(np.asarray(found).astype(int) - np.asarray(expected)).max()
    return ("" if far <= 1 else f"a sample differs by {far}"), torch_seconds, onnx_seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--qualities", default="10,50,90")
    parser.add_argument("--count", type=int, default=None)
    parser.add_argument("--model", default="nano")
    words = parser.parse_args()
    torch.set_num_threads(1)
    codec, lite = Codec(words.model, precision="float32"), LiteCodec(words.model, threads=1)
    paths = sorted(path for path in words.folder.iterdir() if is_picture_name(path))[: words.count]
    failures, seconds = 0, []
    for path in paths:
        for quality in map(float, words.qualities.split(",")):
            fault, *pair = compare(codec.encode(path, quality, effort=0), codec, lite)
            failures += bool(fault)
            seconds.append(pair)
            print(
                f"{path.name} at {quality:g}: {fault or 'equal'}; torch {pair[0]:.3f} s, onnx {pair[1]:.3f} s",
                flush=True,
            )
    ours, theirs = (statistics.median(column) for column in zip(*seconds, strict=True))
    print(f"{len(seconds)} files, {failures} failures; medians: torch {ours:.3f} s, onnx {theirs:.3f} s")
    return int(failures > 0)


if __name__ == "__main__":
    raise SystemExit(main())
