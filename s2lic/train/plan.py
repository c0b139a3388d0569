"""What a run is, as data: sizes, rates, length, and where it writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from s2lic.errors import UsageError
from s2lic.runtime import multiplies_bf16


@dataclass(frozen=True)
class Plan:
    """One run. It ends after `minutes` or `steps`, whichever is given and comes first; earlier parts count.

    `batch` is that of all ranks together. `decay_from` is the part of the run after which the rate falls.
    Where `bf16` is None it is on for a GPU, and for a CPU that multiplies bfloat16 itself.
    """

    config: str
    out: Path
    minutes: float | None = None
    steps: int | None = None
    batch: int = 16
    crop: int = 192
    lr: float = 2e-3
    warmup: int = 100
    decay: str = "linear"
    decay_from: float = 0.6
    clip: float = 1.0
    seed: int = 0
    optimiser: str = "soap"
    stage: str = "all"
    bf16: bool | None = None
    compiled: bool = False
    init: Path | None = None
    log_every: int = 20
    save_every: int = 250

    def __post_init__(self) -> None:
        if self.minutes is None and self.steps is None:
            raise UsageError("a run needs an end: give --minutes or --steps")

    def reduces(self, device: str) -> bool:
        """Whether forward and backward run in bfloat16 on a device of that type, "cpu" or another."""
        return (device != "cpu" or multiplies_bf16()) if self.bf16 is None else self.bf16

    def progress(self, step: int, minutes: float) -> float:
        """How much of the run is done, from 0; 1 and more is its end."""
        ends = [(step, self.steps), (minutes, self.minutes)]
        return max((done / end if end else 1.0) for done, end in ends if end is not None)
