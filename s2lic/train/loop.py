"""The training loop: one step, and the run around it."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from s2lic.entropy.quality import QUALITY_MAX
from s2lic.errors import TrainingDivergedError
from s2lic.model import build
from s2lic.train import checkpoint
from s2lic.train.data import Photos, Prefetch
from s2lic.train.loss import rd_loss
from s2lic.train.optimiser import optimiser
from s2lic.train.schedule import learning_rate
from s2lic.train.start import head_start

MAX_BAD_STEPS = 5
COLUMNS = ("step", "minutes", "lr", "loss", "bpp", "z_bpp", "psnr")


@dataclass(frozen=True)
class Plan:
    """What a run is: sizes, rates and where it writes."""

    config: str
    out: Path
    minutes: float
    batch: int = 8
    crop: int = 256
    lr: float = 2e-3
    warmup: int = 100
    decay_from: float = 0.6
    clip: float = 1.0
    seed: int = 0
    optimiser: str = "soap"
    bf16: bool = True
    log_every: int = 20
    save_every: int = 250


class Run:
    """A model in training; `step` and `minutes` go on from the checkpoint in `plan.out` if there is one."""

    def __init__(self, plan: Plan, photos: Photos) -> None:
        self.plan = plan
        self.model = build(plan.config, plan.seed)
        self.step, self.minutes, self.bad = 0, 0.0, 0
        head_start(self.model, photos, plan.seed)
        self.optimiser = optimiser(plan.optimiser, self.model, plan.lr)
        self.average = checkpoint.Average(self.model)
        self.batches = Prefetch(photos, plan.batch, plan.crop, plan.seed)
        if self.path.exists():
            self._resume()

    @property
    def path(self) -> Path:
        return self.plan.out / "last.pt"

    def _resume(self) -> None:
        state = checkpoint.load(self.path)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.weights = state["average"]
        self.step, self.minutes = state["step"], state["minutes"]

    def save(self) -> None:
        checkpoint.save(
            self.path,
            {
                "model": self.model.state_dict(),
                "average": self.average.weights,
                "optimiser": self.optimiser.state_dict(),
                "step": self.step,
                "minutes": self.minutes,
            },
        )

    def go(self) -> None:
        """Trains until the planned minutes are spent. Raises TrainingDivergedError."""
        plan, began, spent = self.plan, time.monotonic(), self.minutes
        while self.minutes < plan.minutes:
            rate = learning_rate(plan.lr, self.step, self.minutes / plan.minutes, plan.warmup, plan.decay_from)
            parts = self.advance(rate)
            self.minutes = spent + (time.monotonic() - began) / 60
            if self.step % plan.log_every == 0:
                self._log(rate, parts)
            if self.step % plan.save_every == 0:
                self.save()
        self.save()
        self.batches.close()

    def advance(self, rate: float) -> dict[str, float]:
        """One step at the given learning rate; a loss that is not finite skips the update."""
        self.optimiser.set_rate(rate)
        torch.manual_seed(self.plan.seed * 1_000_003 + self.step)
        parts = self._losses(self.batches(self.step))
        self.model.zero_grad(set_to_none=True)
        parts["loss"].backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip)
        self._update(bool(norm.isfinite()))
        self.step += 1
        return {k: v.item() for k, v in parts.items()}

    def _losses(self, x: Tensor) -> dict[str, Tensor]:
        levels = torch.rand(len(x)) * QUALITY_MAX
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.plan.bf16):
            out = self.model(x, levels)
        return rd_loss({k: v.float() for k, v in out.items()}, x, levels)

    def _update(self, finite: bool) -> None:
        self.bad = 0 if finite else self.bad + 1
        if self.bad > MAX_BAD_STEPS:
            raise TrainingDivergedError(f"{self.bad} steps without a finite gradient at step {self.step}: lower --lr")
        if finite:
            self.optimiser.step()
            self.average.update(self.model, self.step)

    def _log(self, rate: float, parts: dict[str, float]) -> None:
        log = self.plan.out / "log.csv"
        log.parent.mkdir(parents=True, exist_ok=True)
        fresh = not log.exists()
        values = {"step": self.step, "minutes": self.minutes, "lr": rate, **parts}
        with log.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(COLUMNS)
            writer.writerow([f"{values[c]:.6g}" for c in COLUMNS])
