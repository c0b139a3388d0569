"""`s2lic train`: trains weights on folders of images."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2lic.cli.options import Device, Json, Quiet, TuneName
from s2lic.cli.progress import stderr_is_watched
from s2lic.cli.signals import stopping
from s2lic.cli.streams import print_json, print_note
from s2lic.cli.weights.place import check_weights
from s2lic.errors import ExtraMissingError, UsageError
from s2lic.runtime import DeviceName, pick_device
from s2lic.transform.config import STRIDE

if TYPE_CHECKING:
    from s2lic.train.log import Watcher
    from s2lic.train.plan import Plan


VISUAL_CROP_MIN = 176


class OptimiserName(str, Enum):
    """Values of `--optimiser`."""

    soap = "soap"
    adamw = "adamw"


class DecayName(str, Enum):
    """Values of `--decay`."""

    linear = "linear"
    cosine = "cosine"
    constant = "constant"


class StageName(str, Enum):
    """Values of `--stage`."""

    all = "all"
    entropy = "entropy"
    g_s = "g_s"
    gains = "gains"


Data = Annotated[list[Path] | None, typer.Option("--data", help="A folder of images. Repeatable.")]
Config = Annotated[str, typer.Option("--config", help="Model configuration: nano, small or base.")]
Tune = Annotated[TuneName, typer.Option("--tune", help="Train for visual quality or for PSNR.")]
Block = Annotated[
    str | None,
    typer.Option("--block", help="Blocks of g_a and g_s: one key for all, or three for strides 2, 4 and 8."),
]
Mlp = Annotated[str | None, typer.Option("--mlp", help="Replace the MLP after each mixer with this block.")]
Gate = Annotated[str | None, typer.Option("--gate", help="Add this gate after each block.")]
Wrap = Annotated[str | None, typer.Option("--wrap", help="Wrap each softmax attention in this block.")]
Cond = Annotated[
    int | None,
    typer.Option("--cond", min=0, help="Condition g_a on this many numbers per image, from IMAGE.npy beside it."),
]
Adapter = Annotated[
    bool, typer.Option("--adapter", help="Train only adapters, to adapt the codec of --init to these images.")
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the run. [default: runs/CONFIG]")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue the run in --out. Options given here replace the stored ones.")
]
Init = Annotated[Path | None, typer.Option("--init", help="Initialise from these weights where the shapes match.")]
Grow = Annotated[
    Path | None,
    typer.Option("--grow", help="Initialise from the weights of a smaller configuration."),
]
Minutes = Annotated[
    float | None,
    typer.Option("--minutes", min=0, help="Training time including earlier sessions. [default: 60 without --steps]"),
]
Steps = Annotated[int | None, typer.Option("--steps", min=0, help="Training steps including earlier sessions.")]
Stage = Annotated[StageName, typer.Option("--stage", help="Train the whole model, or only this part of it.")]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Crops per step, over all processes.")]
Crop = Annotated[int, typer.Option("--crop", min=64, help="Side of a crop in pixels, a multiple of 16.")]
Rate = Annotated[float, typer.Option("--lr", help="Peak learning rate.")]
Decay = Annotated[DecayName, typer.Option("--decay", help="How the learning rate decays.")]
DecayFrom = Annotated[float, typer.Option("--decay-from", min=0, max=1, help="Fraction of the run before the decay.")]
Optimiser = Annotated[OptimiserName, typer.Option("--optimiser", help="SOAP needs far fewer steps than AdamW.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed for weights, crops and noise.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Number of CPU threads. [default: all]")]
Bf16 = Annotated[
    bool | None,
    typer.Option("--bf16/--no-bf16", help="Compute in bfloat16. [default: if the device has bfloat16 instructions]"),
]
Compile = Annotated[bool, typer.Option("--compile", help="Compile g_a and g_s first. Pays off in long runs on a GPU.")]
Export = Annotated[Path | None, typer.Option("--export", help="Write the averaged weights to this file at the end.")]


def train(
    context: typer.Context,
    data: Data = None,
    config: Config = "nano",
    tune: Tune = TuneName.psnr,
    block: Block = None,
    mlp: Mlp = None,
    gate: Gate = None,
    wrap: Wrap = None,
    cond: Cond = None,
    adapter: Adapter = False,
    out: Out = None,
    resume: Resume = False,
    init: Init = None,
    grow: Grow = None,
    minutes: Minutes = None,
    steps: Steps = None,
    stage: Stage = StageName.all,
    batch: Batch = 16,
    crop: Crop = 192,
    lr: Rate = 2e-3,
    decay: Decay = DecayName.linear,
    decay_from: DecayFrom = 0.6,
    optimiser: Optimiser = OptimiserName.soap,
    seed: Seed = 0,
    threads: Threads = None,
    bf16: Bf16 = None,
    compiled: Compile = False,
    device: Device = DeviceName.auto,
    export: Export = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a model or resume a run, on the CPU or a GPU; under torchrun, on several."""
    from s2lic.train.plan import Plan

    wrap, learning = _adapting(wrap, stage) if adapter else (wrap, stage.value)
    name = _name(config, tune.value, block, mlp, gate, wrap, cond)
    plan = Plan(
        config=name,
        out=out or Path("runs") / name,
        minutes=60.0 if minutes is None and steps is None else minutes,
        steps=steps,
        batch=batch,
        crop=crop,
        lr=lr,
        decay=decay.value,
        decay_from=decay_from,
        seed=seed,
        optimiser=optimiser.value,
        stage=learning,
        bf16=bf16,
        compiled=compiled,
        init=init,
        grow=grow,
        data=tuple(data or ()),
    )
    _check_place(plan.out, resume)
    plan = _resumed(plan, context) if resume else plan
    _check(plan, export)
    if facts := _run(plan, pick_device(device), threads, quiet):
        _tell(plan, facts, export, quiet, as_json)


def _adapting(wrap: str | None, stage: StageName) -> tuple[str, str]:
    """The wrapper and the stage of --adapter. Raises UsageError for options that contradict it."""
    if wrap not in (None, "p_adapter") or stage is not StageName.all:
        raise UsageError("--adapter sets --wrap and --stage itself; leave them out")
    return "p_adapter", "adapter"


def _name(
    config: str, tune: str, block: str | None, mlp: str | None, gate: str | None, wrap: str | None, cond: int | None
) -> str:
    """The configuration's name with its tune and its blocks. Raises BlockChoiceError and more."""
    if not (block or mlp or gate or wrap or cond or tune != "psnr"):
        return config
    from s2lic.model import config as row_of
    from s2lic.model import variant

    chosen = tuple(block.split(",")) if block else None
    return variant(row_of(config), chosen, mlp, gate, wrap, cond, None if tune == "psnr" else tune).name


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether an option was given on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _resumed(plan: Plan, context: typer.Context) -> Plan:
    """The stored plan of the run in `plan.out`, with the values of the options that were given.

    A new limit replaces both stored ones: a run of so many steps may go on for so many minutes.
    """
    from s2lic.train.plan import Plan

    given = {name for name in context.params if _is_given(context, name)}
    limits = ("minutes", "steps") if given & {"minutes", "steps"} else ()
    changed = {name: getattr(plan, name) for name in (*given, *limits) if hasattr(plan, name)} | {"out": plan.out}
    return replace(Plan.load(plan.out), **{name: value for name, value in changed.items() if name != "config"})


def _check_place(out: Path, resume: bool) -> None:
    """Raises UsageError if there is a run in `out` without `resume`, or none with it."""
    if (out / "last.pt").exists() != resume:
        raise UsageError(
            f"there is no run in {out}: leave out --resume, or give the run's --out"
            if resume
            else f"there is a run in {out}: continue it with --resume, or start another one with --out FOLDER"
        )


def _check(plan: Plan, export: Path | None) -> None:
    """Check the options that would otherwise fail late. Raises UsageError and others."""
    if not plan.data:
        raise UsageError("there are no images to train on: give a folder with --data")
    if plan.crop % STRIDE:
        raise UsageError(f"--crop takes multiples of {STRIDE}, not {plan.crop}")
    if plan.config.endswith("+tune=visual") and plan.crop < VISUAL_CROP_MIN:
        raise UsageError(f"--tune visual needs --crop {VISUAL_CROP_MIN} or more: MS-SSIM halves a crop four times")
    if not 0 < plan.lr < math.inf:
        raise UsageError(f"--lr takes a rate above 0, not {plan.lr}")
    if export is not None:
        check_weights(export, force=True, read=[plan.init, plan.grow])
    if plan.optimiser == OptimiserName.soap.value:
        try:
            importlib.import_module("pytorch_optimizer")
        except ImportError as error:
            raise ExtraMissingError(
                "SOAP needs pytorch_optimizer: pip install 's2lic[train]', or take --optimiser adamw"
            ) from error


def _run(plan: Plan, device: str, threads: int | None, quiet: bool) -> dict[str, object] | None:
    """Train, from the start or from the checkpoint in the run's folder. Returns a summary on the first rank."""
    from s2lic.train.loop import open_run

    with open_run(plan, device, threads) as run:
        quiet = quiet or not run.ranks.first
        print_note(f"from step {run.step}, minute {run.minutes:.1f}; the log is {plan.out}/log.csv", quiet)
        with stopping(run.stop), watching(plan, quiet) as watch:
            run.go(watch)
        if not run.ranks.first:
            return None
    draw_log(plan.out)
    print_note(f"{run.path}: {run.step} steps in {run.minutes:.1f} minutes", quiet)
    return {"checkpoint": str(run.path), "steps": run.step, "minutes": run.minutes, "stopped": run.stopping}


def _tell(plan: Plan, facts: dict[str, object], export: Path | None, quiet: bool, as_json: bool) -> None:
    """Export the weights and print the summary, as far as they were asked for."""
    if export is not None:
        from s2lic.train.export import CROP, export_checkpoint

        export_checkpoint(plan.out / "last.pt", export, list(plan.data), min(plan.crop, CROP), force=True)
        print_note(f"{export}: weights", quiet)
    if as_json:
        print_json({**facts, "weights": export and str(export)})


def draw_log(out: Path) -> None:
    """Plot the log, if there is one and matplotlib is installed."""
    from s2lic.train.log import plot

    log = out / "log.csv"
    if log.exists() and importlib.util.find_spec("matplotlib") is not None:
        plot(log, out / "log.png")


@contextmanager
def watching(plan: Plan, quiet: bool) -> Iterator[Watcher | None]:
    """A progress bar, if stderr is a terminal."""
    if quiet or not stderr_is_watched():
        yield None
        return
    from s2lic.train.log import Bar

    with Bar(plan.config) as bar:
        yield bar
