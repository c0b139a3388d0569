"""The known-answer test of the weights: a runtime with another answer does not compute exactly."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from s2lic.entropy.exact.limits import ANSWER_SIZE
from s2lic.entropy.latent_size import LatentSize
from s2lic.errors import InexactDeviceError
from s2lic.lite.domain import Floats
from s2lic.lite.walk import Places, Walk


def answer(walk: Walk) -> int:
    """The CRC-32 of all means, of all rows and of y_hat for fixed symbols, as 32-bit little-endian integers."""
    crc, z_size = 0, LatentSize(*ANSWER_SIZE).side

    def update(x: NDArray[np.generic]) -> None:
        nonlocal crc
        crc = zlib.crc32(x.astype("<i4").tobytes(), crc)

    def quantise(mu: Floats, rows: NDArray[np.int32], first: int, at: Places) -> NDArray[np.int64]:
        update(mu)
        update(rows)
        return symbols(mu.size, first).reshape(mu.shape)

    side = walk.weights.entropy.side
    update(walk.run(symbols(side * z_size[0] * z_size[1], 0).reshape(side, *z_size), ANSWER_SIZE, quantise))
    return crc


def symbols(count: int, seed: int) -> NDArray[np.int64]:
    """Integers from -8 to 7, from four bits of a linear congruential generator."""
    return (np.arange(count) + seed) * 40503 % 65536 // 4096 - 8


def check(walk: Walk) -> None:
    """Check the answer of the runtime against the one in the weights. Raises InexactDeviceError if they differ."""
    found, known = answer(walk), walk.weights.known_answer
    if found != known:
        raise InexactDeviceError(
            f"onnxruntime does not compute whole numbers below 2^24 exactly here (known answer {known:08x}, found "
            f"{found:08x}): install another release of onnxruntime, or decode with torch (--runtime torch)"
        )
