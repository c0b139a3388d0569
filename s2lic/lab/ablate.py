"""Ablations: trains each variant for the same CPU time from the same start, and compares it with the base.

    python -m s2lic.lab.ablate TRAIN VAL --minutes 3 --record docs/ablations.json --page docs/training.md

TRAIN and VAL are folders of pictures. Variants in the record are not run again, so an interrupted command continues
where it stopped; `--only NAME` selects some. The table in the page is updated after each variant.

Time is the CPU time of this process on one thread, because wall time depends on what else the machine does.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from s2lic.eval.bd import METRICS, compare
from s2lic.eval.complexity import count
from s2lic.eval.page import put_into_page, table
from s2lic.eval.records import Point, RDCurve
from s2lic.files import write_atomically
from s2lic.lab.ablations import ABLATIONS, BASE_NAME, Ablation
from s2lic.lab.extra import check_extra
from s2lic.lab.likely import measure, middles
from s2lic.model import S2LIC, build
from s2lic.train.data import Photos, Source
from s2lic.train.loop import Run
from s2lic.train.optimiser import learning_rate
from s2lic.train.plan import Plan

# Small batches and crops, so that a minute holds a hundred steps.
PLAN: dict[str, Any] = {"batch": 4, "crop": 128, "warmup": 20}
QUALITIES = (0.0, 20.0, 40.0, 60.0, 80.0, 100.0)
VAL_SIDE = 160
# The range that all models reach after a few minutes of training.
COMPARED = replace(METRICS[0], low=30.0, high=36.0)
MARK = "ablations"
HEAD = ("row", "what differs", "steps", "kMAC/px to decode", "entropy model, CPU-s/Mpx", "loss", "BD-rate")


@dataclass(frozen=True)
class AblationResult:
    """The result of one variant: means over the crops of VAL, with one point per quality.

    `kmac` is kMAC per pixel to decode, `entropy_s` CPU seconds per megapixel for the entropy model.
    """

    minutes: float
    steps: int
    loss: float
    points: tuple[Point, ...]
    kmac: float
    entropy_s: float

    @staticmethod
    def of(found: dict[str, Any]) -> AblationResult:
        return AblationResult(**{**found, "points": tuple(Point(**point) for point in found["points"])})

    def curve(self, name: str) -> RDCurve:
        return RDCurve(name, name, "", self.points)


class AblationRun(Run):
    """A training run of a variant that ends after the given CPU minutes and saves nothing."""

    def __init__(self, row: Ablation, minutes: float, photos: Source, sizes: dict[str, Any]) -> None:
        self.row = row
        super().__init__(Plan(row.config.name, Path("nowhere"), minutes, **{**sizes, **row.plan}), photos)

    def _model(self) -> S2LIC:
        return made(self.row, self.plan.seed)

    def _start(self) -> None:
        if self.row.head_start:
            super()._start()

    def _levels(self, count: int) -> Tensor:
        return super()._levels(count) if self.row.levels is None else self.row.levels(count)

    def train(self) -> None:
        """Trains to the end of its minutes and loads the averaged weights into the model."""
        plan, began = self.plan, time.process_time()
        with contextlib.closing(self.batches):
            while (done := plan.progress(self.step, self.minutes)) < 1:
                self.advance(learning_rate(plan.lr, self.step, done, plan.warmup, plan.decay_from, plan.decay))
                self.minutes = (time.process_time() - began) / 60
        self.model.load_state_dict(self.average.module.state_dict())


def made(row: Ablation, seed: int = 0) -> S2LIC:
    """The untrained model of a variant."""
    model = build(row.config, seed)
    if row.change is not None:
        torch.manual_seed(seed)
        row.change(model)
    return model


def outcome(row: Ablation, minutes: float, photos: Source, crops: Tensor, sizes: dict[str, Any]) -> AblationResult:
    """Trains a variant and measures it."""
    trial = AblationRun(row, minutes, photos, sizes)
    trial.train()
    found = measure(trial.model, crops, QUALITIES)
    kmac = count(lambda: made(row)).decode
    return AblationResult(trial.minutes, trial.step, fmean(found.losses), found.points, kmac, found.entropy_s)


def line(row: Ablation, found: AblationResult, base: AblationResult) -> tuple[str, ...]:
    """A row of the table: differences from the base; less is better."""
    compared = compare(found.curve(row.name), base.curve(BASE_NAME), COMPARED)
    rate = compared.reason if compared.rate_percent is None else f"{compared.rate_percent:+.1f} %"
    loss = f"{100 * (found.loss / base.loss - 1):+.1f} %"
    return (f"`{row.name}`", row.says, f"{found.steps}", f"{found.kmac:.1f}", f"{found.entropy_s:.2f}", loss, rate)


def read(record: Path) -> dict[str, AblationResult]:
    """The results in the record, by name."""
    found = json.loads(record.read_text()) if record.exists() else {}
    return {name: AblationResult.of(row) for name, row in found.items()}


def write(done: dict[str, AblationResult], record: Path, page: Path | None) -> None:
    """Writes the record, and the table in the page in the order of `ABLATIONS`."""
    data = json.dumps({name: asdict(row) for name, row in done.items()}, indent=1) + "\n"
    write_atomically(record, data.encode(), force=True)
    if page is not None and BASE_NAME in done:
        lines = [line(row, done[row.name], done[BASE_NAME]) for row in ABLATIONS if row.name in done]
        write_atomically(page, put_into_page(page.read_text(), table(HEAD, lines), MARK).encode(), force=True)


def main(
    train: Path,
    val: Path,
    minutes: Annotated[float, typer.Option(help="CPU minutes per variant.")],
    record: Annotated[Path, typer.Option(help="The JSON file of results.")],
    page: Annotated[Path | None, typer.Option(help="The page whose table is updated.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="The name of a variant; repeat for several.")] = None,
) -> None:
    """Runs the variants that the record lacks."""
    check_extra()
    torch.set_num_threads(1)
    photos, crops, done = Photos.load([train], PLAN["crop"]), middles(val, VAL_SIDE), read(record)
    for row in ABLATIONS:
        if row.name in done or (only and row.name not in only):
            continue
        done[row.name] = outcome(row, minutes, photos, crops, PLAN)
        write(done, record, page)
        print(row.name, done[row.name].steps, done[row.name].loss, flush=True)


if __name__ == "__main__":
    typer.run(main)
