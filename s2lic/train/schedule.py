"""The learning rate over a run: warm-up, constant, then a fall to zero."""

from __future__ import annotations

import math
from collections.abc import Callable

DECAYS: dict[str, Callable[[float], float]] = {
    "constant": lambda _: 1.0,
    "cosine": lambda fallen: (1 + math.cos(math.pi * fallen)) / 2,
    "linear": lambda fallen: 1 - fallen,
}


def learning_rate(peak: float, step: int, progress: float, warmup: int, decay_from: float, decay: str) -> float:
    """The rate at a step; `progress` 0..1 is the part of the planned steps or minutes already spent.

    `decay` is a key of DECAYS: how the rate falls from the part `decay_from` of the run to its end.
    """
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    fallen = (progress - decay_from) / (1 - decay_from) if decay_from < 1 else 0.0
    return peak * rise * DECAYS[decay](min(max(fallen, 0.0), 1.0))
