"""What a case of the benchmark is and what comes out of it, as rows of data that travel as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field

STAGES = ("transform", "entropy nets", "search", "rANS", "container", "rest")


@dataclass(frozen=True)
class Case:
    """One codec on one square picture, `batch` times at once; `limit_s` bounds the whole process, start included."""

    codec: str
    side: int
    threads: int
    repeats: int
    limit_s: float
    device: str = "cpu"
    batch: int = 1

    @property
    def pixels(self) -> int:
        """Of one picture."""
        return self.side**2

    @property
    def label(self) -> str:
        """The codec, and what is unusual in how it runs."""
        together = f", {self.batch} at once" if self.batch > 1 else ""
        return f"{self.codec}{together}" + (f" on {self.device}" if self.device != "cpu" else "")


@dataclass(frozen=True)
class Timing:
    """Medians over the runs, in seconds: the whole call for all of a batch, and each stage's part of it by itself."""

    seconds: float
    stages: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """`coded_bytes` is of one picture.

    `rest_bytes` is the memory in use before the first picture, `peak_bytes` the most there ever was.
    """

    encode: Timing
    decode: Timing
    runs: int
    coded_bytes: int
    rest_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class Outcome:
    """A case with its measurement, or with the reason why there is none."""

    case: Case
    measured: Measured | None
    problem: str = ""
