"""The arithmetic rate of training steps: ours, and CompressAI's for its own models.

    python -m s2lic.lab.throughput --config nano --batch 16 --crop 128 --rounds 3 --record docs/throughput.json

Weights are random and the batch is fixed, so no data is read. CompressAI's step is that of its example trainer: its
loss, Adam for the network and for the quantiles, and clipping. Ours is all of `Run.advance`. Models take turns, one
step per round, so that other load affects all alike. Time is CPU time on one thread; with `--device cuda`, wall time
until the GPU is done. SOAP renews its bases in one step of twenty: such a step is timed separately and counts for one
twentieth.

The rate is pixels per second times MAC per pixel of the forward pass. A whole step computes about three times as much.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Annotated

import torch
import typer
from torch import Tensor, nn

from s2lic.eval.complexity import macs
from s2lic.eval.page import machine, put_into_page, table
from s2lic.files import write_atomically
from s2lic.lab.extra import check_extra
from s2lic.runtime import DeviceName, pick_device
from s2lic.train.data import ALL
from s2lic.train.distributed import Ranks
from s2lic.train.loop import Run
from s2lic.train.optimiser import PRECONDITION_EVERY
from s2lic.train.plan import Plan

PEERS = ("mbt2018-mean", "cheng2020-attn")
QUALITY = 3  # of CompressAI's models: 128 channels, the smaller of two widths
PRECISIONS = {"float32": False, "bf16": True}
RATE = 1e-4
MARK = "throughput"
UNITS = {"cpu": "CPU-s", "cuda": "s"}


@dataclass(frozen=True)
class Still:
    """A source of one fixed batch."""

    x: Tensor

    @property
    def least(self) -> int:
        return self.x.shape[3]

    def batch(self, size: int, crop: int, seed: tuple[int, ...], rows: slice = ALL) -> Tensor:
        return self.x[rows]

    def conditions(self, size: int, crop: int, seed: tuple[int, ...], rows: slice = ALL) -> Tensor | None:
        return None


class OurStep(Run):
    """A training run from random weights on a fixed batch."""

    def __init__(self, config: str, x: Tensor, bf16: bool) -> None:
        plan = Plan(config, Path("nowhere"), steps=1, batch=len(x), crop=x.shape[3], bf16=bf16)
        super().__init__(plan, Still(x), Ranks(0, 1, x.device))

    def _start(self) -> None:
        """Keeps the random weights: they cost as much time as others."""

    def __call__(self) -> None:
        self.advance(RATE)

    def renew(self) -> None:
        """A step in which SOAP renews its bases."""
        states = self.optimiser.parts["soap"].state.values()
        for state in states:
            state["precondition_frequency"] = 1
        self.advance(RATE)
        for state in states:
            state["precondition_frequency"] = PRECONDITION_EVERY


class TheirStep:
    """The training step of CompressAI's examples/train.py."""

    def __init__(self, name: str, x: Tensor, bf16: bool) -> None:
        from compressai.losses import RateDistortionLoss
        from compressai.optimizers import net_aux_optimizer
        from compressai.zoo import image_models

        self.x, self.bf16 = x.contiguous(), bf16  # not channels last, as in their trainer
        self.net: nn.Module = image_models[name](quality=QUALITY, metric="mse", pretrained=False).to(x.device)
        self.loss = RateDistortionLoss()
        adam = {"type": "Adam", "lr": RATE}
        self.optimisers = net_aux_optimizer(self.net, {"net": adam, "aux": {**adam, "lr": 1e-3}})

    def __call__(self) -> None:
        for optimiser in self.optimisers.values():
            optimiser.zero_grad()
        with torch.autocast(self.x.device.type, torch.bfloat16, enabled=self.bf16):
            out = self.net(self.x)
        likely = {key: value.float() for key, value in out["likelihoods"].items()}
        self.loss({"x_hat": out["x_hat"].float(), "likelihoods": likely}, self.x)["loss"].backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimisers["net"].step()
        self.net.aux_loss().backward()  # type: ignore[operator]
        self.optimisers["aux"].step()


@dataclass
class TimedStep:
    """A training step to time: the function, its cost, and the seconds of each call."""

    name: str
    precision: str
    step: Callable[[], object]
    kmac: float
    device: torch.device
    seconds: list[float] = field(default_factory=list)

    def take_turn(self) -> None:
        began = now(self.device)
        self.step()
        self.seconds.append(now(self.device) - began)


def now(device: torch.device) -> float:
    """CPU seconds of this process, or wall seconds after the GPU has finished."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def kmac(forward: Callable[[], object], pixels: int) -> float:
    """kMAC per pixel of a forward pass."""
    return macs(forward) / 1000 / pixels


def ours(config: str, x: Tensor, precision: str) -> list[TimedStep]:
    """Our usual step, and the one that renews the bases of SOAP."""
    run = OurStep(config, x, PRECISIONS[precision])
    run()  # the first step of SOAP only initialises
    one = x[:1]
    cost = kmac(lambda: run.model(one, torch.zeros(1, device=x.device)), one[:, 0].numel())
    steps: dict[str, Callable[[], object]] = {config: run, f"{config}, renewing": run.renew}
    return [TimedStep(name, precision, step, cost, x.device) for name, step in steps.items()]


def theirs(name: str, x: Tensor, precision: str) -> list[TimedStep]:
    """The training step of one of CompressAI's models in one precision."""
    one = x[:1]
    step, small = TheirStep(name, x, PRECISIONS[precision]), TheirStep(name, one, PRECISIONS[precision])
    small()  # warm up
    return [TimedStep(name, precision, step, kmac(lambda: step.net(one), one[:, 0].numel()), x.device)]


def seconds(subjects: list[TimedStep]) -> dict[tuple[str, str], float]:
    """Mean seconds per step; ours include their share of renewing steps."""
    mean = {(s.name, s.precision): fmean(s.seconds) for s in subjects}
    share = 1 / PRECONDITION_EVERY
    usual = {key: value for key, value in mean.items() if not key[0].endswith(", renewing")}
    renewing = {key: mean.get((f"{key[0]}, renewing", key[1]), value) for key, value in usual.items()}
    return {key: (1 - share) * value + share * renewing[key] for key, value in usual.items()}


def head(unit: str) -> tuple[str, ...]:
    """The head of the table of steps."""
    return ("step", "kMAC/px", f"float32, {unit}", f"bf16, {unit}", "float32, GMAC/s", "bf16, GMAC/s")


def rows(subjects: list[TimedStep], pixels: int) -> list[tuple[str, ...]]:
    """The rows of the table: costs and rates in each precision."""
    cost, spent = {s.name: s.kmac for s in subjects}, seconds(subjects)
    found = []
    for name in dict.fromkeys(name for name, _ in spent):
        each = [spent[name, precision] for precision in PRECISIONS]
        rates = [cost[name] * 1e3 * pixels / s / 1e9 for s in each]
        found.append((f"`{name}`", f"{cost[name]:.1f}", *(f"{s:.2f}" for s in each), *(f"{r:.1f}" for r in rates)))
    return found


def main(
    record: Annotated[Path, typer.Option(help="The JSON file for the seconds of every step.")],
    page: Annotated[Path | None, typer.Option(help="The page whose table is updated.")] = None,
    config: str = "nano",
    peer: Annotated[list[str] | None, typer.Option(help="A model of CompressAI; repeat for several.")] = None,
    batch: int = 16,
    crop: int = 128,
    rounds: int = 3,
    device: DeviceName = DeviceName.cpu,
) -> None:
    """Times training steps."""
    check_extra()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    where = pick_device(device)
    here, unit = machine() if where == "cpu" else f"{torch.cuda.get_device_name()}, {machine()}", UNITS[where]
    x = torch.rand(batch, 3, crop, crop).to(where).contiguous(memory_format=torch.channels_last)
    subjects = [s for precision in PRECISIONS for s in ours(config, x, precision)]
    subjects += [s for name in peer or PEERS for precision in PRECISIONS for s in theirs(name, x, precision)]
    for _ in range(rounds):
        for subject in subjects:
            subject.take_turn()
            print(subject.name, subject.precision, f"{subject.seconds[-1]:.2f} {unit}", flush=True)
        steps = [{"step": s.name, "precision": s.precision, "kmac": s.kmac, "seconds": s.seconds} for s in subjects]
        found = {"machine": here, "batch": batch, "crop": crop, "steps": steps}
        write_atomically(record, (json.dumps(found, indent=1) + "\n").encode(), force=True)
        if page is not None:
            text = f"{here}; batches of {batch} x {crop} px.\n\n{table(head(unit), rows(subjects, x[:, 0].numel()))}"
            write_atomically(page, put_into_page(page.read_text(), text, MARK).encode(), force=True)
    for row in rows(subjects, x[:, 0].numel()):
        print(*row)


if __name__ == "__main__":
    typer.run(main)
