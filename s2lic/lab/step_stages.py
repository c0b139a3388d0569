"""Where the time of a training step goes, by stage.

    python -m s2lic.lab.step_stages --config nano --batch 16 --crop 192 --page docs/performance.md

Weights are random and the batch is fixed, as in `s2lic.lab.throughput`. Time is CPU time on one thread. SOAP renews its
bases in one step of twenty: such a step is timed separately and counts for one twentieth.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated

import torch
import typer

from s2lic.eval.bench.stopwatch import TimedFunction, watching
from s2lic.eval.page import machine, put_into_page, table
from s2lic.files import write_atomically
from s2lic.lab.extra import check_extra
from s2lic.lab.throughput import PRECISIONS, OurStep
from s2lic.train.optimiser import PRECONDITION_EVERY

MARK = "training step"
WHOLE = "all of it"
HEAD = ("stage", *(f"{precision}, ms" for precision in PRECISIONS))


def stations(run: OurStep) -> list[TimedFunction]:
    """The functions that a step calls, in order."""
    model = run.model
    return [
        TimedFunction("g_a", model.g_a, "forward"),
        TimedFunction("entropy model", model.entropy, "forward"),
        TimedFunction("g_s", model.g_s, "forward"),
        TimedFunction("backward", torch.Tensor, "backward"),
        TimedFunction("clipping", torch.nn.utils, "clip_grad_norm_"),
        TimedFunction("SOAP and AdamW", run.optimiser, "step"),
        TimedFunction("averaging the weights", run.average, "update_parameters"),
        TimedFunction("loss and rest", run, "advance"),
    ]


def stages(run: OurStep, rounds: int) -> dict[str, float]:
    """CPU milliseconds by stage, and of the whole step."""
    run()
    usual = _medians(run, run, rounds)
    renewing = _medians(run, run.renew, rounds)
    found = {stage: usual[stage] + (renewing[stage] - usual[stage]) / PRECONDITION_EVERY for stage in usual}
    return {**found, WHOLE: sum(found.values())}


def _medians(run: OurStep, step: Callable[[], object], rounds: int) -> dict[str, float]:
    seen = []
    for _ in range(rounds):
        with watching(stations(run), time.process_time) as watch:
            step()
        seen.append(dict(watch.seconds))
    return {station.stage: 1000 * median(one[station.stage] for one in seen) for station in stations(run)}


def main(
    config: str = "nano",
    batch: int = 16,
    crop: int = 192,
    rounds: int = 5,
    page: Annotated[Path | None, typer.Option(help="The page whose table is updated.")] = None,
) -> None:
    """Times training steps in each precision."""
    check_extra()
    torch.set_num_threads(1)
    x = torch.rand(batch, 3, crop, crop)
    found = [stages(OurStep(config, x, reduced), rounds) for reduced in PRECISIONS.values()]
    rows = [(stage, *(f"{one[stage]:.0f}" for one in found)) for stage in found[0]]
    text = f"`{config}`, batches of {batch} x {crop} px, one thread; {machine()}\n\n{table(HEAD, rows)}"
    print(text)
    if page is not None:
        write_atomically(page, put_into_page(page.read_text(), text, MARK).encode(), force=True)


if __name__ == "__main__":
    typer.run(main)
