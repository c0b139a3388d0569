"""How the quality scales the channels of y, in numpy; see `s2lic.entropy.exact.networks`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from s2lic.entropy.exact.limits import (
    ACTIVATION,
    LEVEL_UNIT,
    LEVELS,
    MANTISSA_BITS,
    MU_LIMIT,
    OCTAVE,
    ROW_UNIT,
    Y_BITS,
    Y_ONE,
)
from s2lic.entropy.symbol_coder import Symbols

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def interpolate(table: NDArray[np.generic], level: int) -> Doubles:
    """Interpolate integers (anchors, ...) at a level 0..10000: (...) float64, rounded half to even."""
    position = level * (len(table) - 1)
    low = min(position // LEVELS, len(table) - 2)
    part = position - low * LEVELS
    rows = table[low : low + 2].astype(np.float64)
    found: Doubles = np.rint((rows[0] * (LEVELS - part) + rows[1] * part) / LEVELS)
    return found


def exp2(exponent: Doubles) -> Doubles:
    """2^(n / 1024) of integers n, as a 16-bit integer times a power of two."""
    whole = np.floor(exponent / OCTAVE)
    octave = np.rint(np.exp2(np.arange(OCTAVE) / OCTAVE) * 2**MANTISSA_BITS)
    mantissa = octave[(exponent - whole * OCTAVE).astype(np.int64)]
    found: Doubles = np.ldexp(mantissa, whole.astype(np.int64) - MANTISSA_BITS)
    return found


def rounded(x: Doubles, low: int, high: int) -> Floats:
    """Round to the nearest integers and clip to the limits, as input for the graphs."""
    return np.clip(np.rint(x, out=x), low, high, out=x).astype(np.float32)


class QualityScales:
    """Means, table rows and contexts of channels at a quality level. Halves are (c, P), maps (c, h, w)."""

    def __init__(self, exact: Mapping[str, NDArray[np.generic]], level: int) -> None:
        self.octaves = interpolate(exact["log_gain"], level)
        self.gain = exp2(self.octaves)
        self._mean = np.ldexp(self.gain, Y_BITS - exact["mean_exponent"].astype(np.int64))
        self._context = np.ldexp(exp2(-self.octaves), exact["context_exponent"].astype(np.int64) - Y_BITS)

    def mu(self, mean: Floats, part: slice) -> Floats:
        """The means of a half in 64ths of a step."""
        return rounded(mean * self._mean[part, None], -MU_LIMIT, MU_LIMIT)

    def rows(self, scale: Floats, part: slice, step_exponent: Doubles | None, count: int) -> NDArray[np.int32]:
        """The table row of each symbol, 0 to count - 1. `step_exponent` is (P,)."""
        moved = scale + self.octaves[part, None]
        moved = moved if step_exponent is None else moved + LEVEL_UNIT * step_exponent
        return rounded(moved / ROW_UNIT, 0, count - 1).astype(np.int32)

    def context(self, y_hat: Floats, part: slice) -> Floats:
        """The input of the context networks, from y_hat."""
        return rounded(y_hat * self._context[part, None], *ACTIVATION)


def restored(symbols: Symbols, step_exponent: Doubles | None) -> Doubles:
    """Symbols (c, P), whose steps are divided by 2^(step_exponent / 4) -> 64ths of a full step."""
    if step_exponent is None:
        return symbols * np.float64(Y_ONE)
    found: Doubles = np.rint(symbols * (Y_ONE * exp2(-LEVEL_UNIT * step_exponent)))
    return found
