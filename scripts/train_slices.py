"""One slice of a long run on a temporary machine: loads a checkpoint in parts, trains some minutes, and saves parts.

python scripts/train_slices.py --config small --data shard0 --out state --minutes 9 --total-minutes 120
python scripts/train_slices.py --config small --data shard1 --out state --minutes 9 --total-minutes 120

Every slice uses the same options and another shard of images. A killed slice loses only the work since its last save.
The parts contain the weights and their average in float32, and the optimiser in bfloat16. With --drop-optimiser they
have no optimiser, which then starts with a warm-up in the next slice. `s2lic weights export state -o FILE` reads them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from s2lic.cli.signals import stopping
from s2lic.runtime import DeviceName, pick_device
from s2lic.train import checkpoint
from s2lic.train.checkpoint import INDEX, read_parts, slim, widen, write_parts
from s2lic.train.data import Photos, Resident, Source
from s2lic.train.distributed import Ranks, process_group
from s2lic.train.loop import Run
from s2lic.train.plan import Plan

MIB = 1 << 20


class Slice(Run):
    """A run that calls `leave` on its checkpoint at each save."""

    def __init__(self, plan: Plan, source: Source, ranks: Ranks, leave: Callable[[dict[str, Any]], object]) -> None:
        super().__init__(plan, source, ranks)
        self.leave = leave

    def save(self) -> None:
        super().save()
        if self.ranks.first:
            self.leave(checkpoint.load(self.path))


def take(parts: Path, target: Path) -> None:
    """Put the checkpoint of the previous slice, if any, where a run looks for it."""
    if (parts / INDEX).exists():
        checkpoint.save(target, widen(read_parts(parts)))


def keep_log(new: Path, kept: Path) -> None:
    """Append the log rows of this slice to those of earlier slices."""
    if new.exists():
        header, *rows = new.read_text().splitlines(keepends=True)
        with kept.open("a") as file:
            file.writelines([header] * (not kept.stat().st_size) + rows)


def pictures(data: list[Path], crop: int, where: str, ranks: Ranks) -> Source:
    """The images of this slice, on the GPU if it trains there."""
    photos = Photos.load(data, crop)
    return Resident.of(photos, ranks.device) if where == "cuda" else photos


def leave(parts: Path, part_bytes: int, drop_optimiser: bool, state: dict[str, Any]) -> None:
    """Write the checkpoint for the next slice, where `take` finds it."""
    dropped = {"optimiser"} if drop_optimiser else set[str]()
    write_parts(slim({k: v for k, v in state.items() if k not in dropped}), parts, part_bytes)


def train(run: Run, minutes: float) -> None:
    """Train for these minutes, or to the planned end of the run, and print the progress."""
    ends = time.monotonic() + 60 * minutes

    def watch(progress: float, values: dict[str, float]) -> None:
        print({k: round(v, 4) for k, v in values.items()}, flush=True)
        if time.monotonic() > ends:
            run.stop()

    with stopping(run.stop):
        run.go(watch)


def main(
    data: Annotated[list[Path], typer.Option(help="Folders of images for this slice.")],
    out: Annotated[Path, typer.Option(help="Folder to read the parts from and write them to.")],
    minutes: Annotated[float, typer.Option(help="Training minutes of this slice, without loading.")],
    total_minutes: Annotated[float, typer.Option(help="Planned minutes of the whole run.")],
    config: str = "small",
    max_file_mib: Annotated[float, typer.Option(help="The largest size of a part.")] = 16.0,
    save_every: Annotated[int, typer.Option(help="Steps between two saves.")] = 500,
    batch: int = 32,
    crop: int = 256,
    lr: float = 2e-3,
    warmup: int = 200,
    optimiser: str = "soap",
    stage: str = "all",
    init: Path | None = None,
    device: DeviceName = DeviceName.auto,
    compiled: Annotated[bool, typer.Option("--compile")] = False,
    bf16: Annotated[bool | None, typer.Option(help="Same as for s2lic train.")] = None,
    drop_optimiser: bool = False,
) -> None:
    """Train one slice."""
    where, leaving = pick_device(device), partial(leave, out, int(max_file_mib * MIB), drop_optimiser)
    with tempfile.TemporaryDirectory(prefix="slice-") as work, process_group(where, batch) as ranks:
        plan = Plan(
            config, Path(work), total_minutes, batch=batch, crop=crop, lr=lr, warmup=warmup, optimiser=optimiser,
            stage=stage, init=init, compiled=compiled, bf16=bf16, save_every=save_every, log_every=5,
        )  # fmt: skip
        take(out, plan.out / "last.pt")
        run = Slice(plan, pictures(data, crop, where, ranks), ranks, leaving)
        first = run.step
        train(run, minutes)
        if ranks.first:
            keep_log(plan.out / "log.csv", out / "log.csv")
    print(f"steps {first} to {run.step}, minute {run.minutes:.1f} of {total_minutes:g}")


if __name__ == "__main__":
    typer.run(main)
