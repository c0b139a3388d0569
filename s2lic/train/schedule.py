"""The learning rate over a run: warm-up, constant, then a linear fall to zero."""

from __future__ import annotations


def learning_rate(peak: float, step: int, progress: float, warmup: int, decay_from: float) -> float:
    """The rate at a step; `progress` 0..1 is the part of the planned steps or minutes already spent."""
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    fall = 1.0 if progress < decay_from or decay_from >= 1 else max(0.0, (1 - progress) / (1 - decay_from))
    return peak * rise * fall
