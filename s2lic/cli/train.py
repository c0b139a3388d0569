"""`s2lic train`: weights from a folder of pictures."""

from __future__ import annotations

import importlib
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2lic.cli.options import Json, Quiet
from s2lic.cli.streams import print_json, print_note
from s2lic.errors import ExtraMissingError, UsageError
from s2lic.files import check_output

if TYPE_CHECKING:
    from s2lic.train.loop import Plan

STRIDE = 16  # as s2lic.model has it, which imports torch


class OptimiserName(str, Enum):
    """What `--optimiser` takes."""

    soap = "soap"
    adamw = "adamw"


Data = Annotated[list[Path], typer.Option("--data", help="A folder of pictures; may be given again.")]
Config = Annotated[str, typer.Option("--config", help="The model's configuration: nano, small, base.")]
Out = Annotated[Path | None, typer.Option("--out", help="The run's folder. [default: runs/CONFIG]")]
Minutes = Annotated[float, typer.Option("--minutes", min=0, help="How long, earlier parts of the run included.")]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Crops a step.")]
Crop = Annotated[int, typer.Option("--crop", min=64, help="Their side in pixels, a multiple of 16.")]
Rate = Annotated[float, typer.Option("--lr", help="The peak learning rate.")]
Optimiser = Annotated[OptimiserName, typer.Option("--optimiser", help="SOAP needs far fewer steps.")]
Seed = Annotated[int, typer.Option("--seed", help="Of weights, crops and noise.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Threads to compute on. [default: all]")]
Bf16 = Annotated[bool, typer.Option("--bf16/--no-bf16", help="Off for processors that lack bfloat16.")]
Export = Annotated[Path | None, typer.Option("--export", help="Write the averaged weights here at the end.")]


def train(
    data: Data,
    config: Config = "nano",
    out: Out = None,
    minutes: Minutes = 60.0,
    batch: Batch = 16,
    crop: Crop = 192,
    lr: Rate = 2e-3,
    optimiser: Optimiser = OptimiserName.soap,
    seed: Seed = 0,
    threads: Threads = None,
    bf16: Bf16 = True,
    export: Export = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a model on the CPU, or go on with a run."""
    _check(crop, optimiser, export)
    from s2lic.train.loop import Plan

    plan = Plan(
        config=config,
        out=out or Path("runs") / config,
        minutes=minutes,
        batch=batch,
        crop=crop,
        lr=lr,
        seed=seed,
        optimiser=optimiser.value,
        bf16=bf16,
    )
    facts = _run(plan, data, threads, quiet)
    if export is not None:
        from s2lic.train.export import export_checkpoint

        export_checkpoint(plan.out / "last.pt", config, export)
        print_note(f"{export}: weights", quiet)
    if as_json:
        print_json({**facts, "weights": export and str(export)})


def _check(crop: int, optimiser: OptimiserName, export: Path | None) -> None:
    """Refuse what would fail after hours, or in torch. Raises UsageError and more."""
    if crop % STRIDE:
        raise UsageError(f"--crop takes multiples of {STRIDE}, not {crop}")
    if export is not None:
        check_output(export, force=True)
    if optimiser is OptimiserName.soap:
        try:
            importlib.import_module("pytorch_optimizer")
        except ImportError as error:
            raise ExtraMissingError(
                "SOAP needs pytorch_optimizer; install it with: pip install 's2lic[train]', or take --optimiser adamw"
            ) from error


def _run(plan: Plan, data: list[Path], threads: int | None, quiet: bool) -> dict[str, object]:
    """The training itself, from the start or from the checkpoint in the run's folder."""
    import torch

    from s2lic.train.data import Photos
    from s2lic.train.loop import Run

    if threads is not None:
        torch.set_num_threads(threads)
    run = Run(plan, Photos.load(data, plan.crop))
    begun = f"from step {run.step}, minute {run.minutes:.1f} of {plan.minutes:g}"
    print_note(f"{begun}; the log is {plan.out}/log.csv", quiet)
    run.go()
    print_note(f"{run.path}: {run.step} steps in {run.minutes:.1f} minutes", quiet)
    return {"checkpoint": str(run.path), "steps": run.step, "minutes": run.minutes}
