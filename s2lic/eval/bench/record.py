"""The record of a benchmark and its files: JSON, a page with the tables, a plot."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from s2lic.eval.bench.case import Outcome
from s2lic.eval.bench.page import exponents, to_markdown, to_png
from s2lic.eval.bench.speed import series
from s2lic.eval.machine import machine, today
from s2lic.eval.markdown import put_into_page
from s2lic.files import make_folder, read_bytes, write_atomically

NAME = "performance"
BUSY = 0.5
NEW_PAGE = f"# Performance\n\n![Seconds over pixels]({NAME}.png)\n"


@dataclass(frozen=True)
class Record:
    """What was measured by which command, where and when; `load` is what else ran as it began."""

    date: str
    command: str
    machine: str
    processors: int
    load: float
    outcomes: tuple[Outcome, ...]

    @property
    def busy(self) -> bool:
        """Whether other work took half a processor or more: times are then too long."""
        return self.load >= BUSY

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "exponents": [_law(*found) for found in series(self.outcomes).items()]}

    def to_markdown(self) -> str:
        where = f"{self.machine}, {self.processors} processors, load at the start {self.load:.2f}"
        warning = "\nThe machine was busy with other work: read the times as upper bounds." if self.busy else ""
        return f"{self.date}. {where}.{warning}\n\n    {self.command}\n\n{to_markdown(self.outcomes)}"


def record(outcomes: list[Outcome], command: str, load: float) -> Record:
    """The outcomes with date and machine; `load` is the load average before the first of them."""
    return Record(today(), command, machine(), os.cpu_count() or 1, load, tuple(outcomes))


def save(found: Record, folder: Path) -> list[Path]:
    """Write `performance.json`, `.md` and `.png`; a page that is there keeps what stands around the tables.

    Raises OutputUnwritableError, ExtraMissingError.
    """
    make_folder(folder)
    page = folder / f"{NAME}.md"
    before = read_bytes(page).decode() if page.exists() else NEW_PAGE
    files = {
        folder / f"{NAME}.json": (json.dumps(found.to_json(), indent=1) + "\n").encode(),
        page: put_into_page(before, found.to_markdown()).encode(),
        folder / f"{NAME}.png": to_png(found.outcomes),
    }
    for path, data in files.items():
        write_atomically(path, data, force=True)
    return list(files)


def _law(of: tuple[str, int], outcomes: list[Outcome]) -> dict[str, Any]:
    encode, decode = exponents(outcomes)
    return {"codec": of[0], "threads": of[1], "encode": encode, "decode": decode}
