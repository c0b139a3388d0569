"""A benchmark of the machine, from what is asked to its record."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from s2lic.eval.bench.case import Case, Outcome
from s2lic.eval.bench.record import Record, record, save
from s2lic.eval.bench.speed import OURS, cases, run
from s2lic.files import make_folder
from s2lic.images.load import open_image

Told = Callable[[int, int, Outcome], None]  # hears of each outcome: how many of how many there are with it


@dataclass(frozen=True)
class Request:
    """Our codec, with what weights and how, beside `peers`: each on square pictures of all sides and all threads.

    Ours runs on `device`, and codes `batch` pictures at once.
    """

    sides: tuple[int, ...]
    threads: tuple[int, ...]
    peers: tuple[str, ...]
    repeats: int = 3
    limit_s: float = 90.0
    minutes: float = 12.0
    model: str | None = None
    device: str = "cpu"
    batch: int = 1

    def cases(self) -> list[Case]:
        """Raises UsageError."""
        codecs, own = (OURS, *self.peers), (self.device, self.batch)
        return cases(codecs, self.sides, self.threads, self.repeats, self.limit_s, *own)

    @property
    def command(self) -> str:
        """As another could give it, who has other weights."""
        sides, threads = (",".join(map(str, numbers)) for numbers in (self.sides, self.threads))
        words = f"s2lic bench speed --sizes {sides} --threads {threads} --peers {','.join(self.peers) or 'none'}"
        own = f" --device {self.device}" if self.device != "cpu" else ""
        own += f" --batch {self.batch}" if self.batch > 1 else ""
        return f"{words} --repeats {self.repeats} --limit {self.limit_s:g} --minutes {self.minutes:g}{own}"


def bench(request: Request, picture: str, out: Path | None, told: Told) -> Record:
    """Run every case on a picture, and leave the record in a folder if one is given.

    Raises UsageError, what opening the picture raises, OutputUnwritableError, ExtraMissingError.
    """
    todo, image, outcomes = request.cases(), open_image(picture), list[Outcome]()
    if out is not None:
        make_folder(out)
    load = os.getloadavg()[0]
    for outcome in run(todo, image, request.model, 60 * request.minutes):
        outcomes.append(outcome)
        told(len(outcomes), len(todo), outcome)
    found = record(sorted(outcomes, key=lambda outcome: todo.index(outcome.case)), request.command, load)
    if out is not None:
        save(found, out)
    return found
