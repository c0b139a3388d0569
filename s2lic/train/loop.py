"""The training loop: one step, and the run around it."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from s2lic.entropy.quality import QUALITY_MAX
from s2lic.errors import TrainingDivergedError, UsageError
from s2lic.files import make_folder
from s2lic.model import S2LIC, build, config
from s2lic.train import checkpoint, log
from s2lic.train.data import Photos, Prefetch, Resident, Source
from s2lic.train.distributed import Ranks, process_group
from s2lic.train.grow import grow
from s2lic.train.init import head_start, warm_start
from s2lic.train.loss import rd_loss
from s2lic.train.optimiser import learning_rate, optimiser
from s2lic.train.plan import Plan
from s2lic.train.stages import ADAPTER_STAGE, freeze, load_frozen, stage

MAX_BAD_STEPS = 5
RECENT = 50
# Other pictures and qualities change the loss by a factor of about three, a diverging step by thousands.
WORST_JUMP = 100.0


class Guard:
    """Rejects steps whose loss or gradient is not finite, or whose loss is far above the recent ones."""

    def __init__(self) -> None:
        self.bad_in_a_row, self.skipped = 0, 0
        self._recent: deque[float] = deque(maxlen=RECENT)

    def accepts(self, loss: float, norm: float) -> bool:
        """Returns whether to take the step. Raises TrainingDivergedError after too many bad steps in a row."""
        good = math.isfinite(norm) and math.isfinite(loss) and not self._jumped(loss)
        self.bad_in_a_row = 0 if good else self.bad_in_a_row + 1
        self.skipped += not good
        if good:
            self._recent.append(loss)
        if self.bad_in_a_row > MAX_BAD_STEPS:
            raise TrainingDivergedError(
                f"{self.bad_in_a_row} steps in a row had no usable loss and gradient (last loss {loss:.3g}); "
                "lower --lr, or resume from an older checkpoint"
            )
        return good

    def _jumped(self, loss: float) -> bool:
        usual = sorted(self._recent)[len(self._recent) // 2] if len(self._recent) == RECENT else math.inf
        return loss > WORST_JUMP * usual


# The medians of z move slowly, and computing them takes some hundred small calls.
CENTRE_EVERY = 20
ONE = Ranks(0, 1, torch.device("cpu"))


class Run:
    """A model in training, resumed from the checkpoint in `plan.out` if there is one.

    Args:
        plan: The options of the run.
        photos: The training pictures.
        ranks: This process among those that share the batch.
        clock: Returns the seconds that `plan.minutes` counts; wall time by default.
    """

    def __init__(
        self, plan: Plan, photos: Source, ranks: Ranks = ONE, clock: Callable[[], float] | None = None
    ) -> None:
        self.plan, self.photos, self.ranks = plan, photos, ranks
        self.clock = time.monotonic if clock is None else clock
        self.batches = Prefetch(photos, plan.batch, plan.crop, plan.seed, ranks.rows)
        self.model = self._model()
        self.step, self.minutes, self.stopping, self.guard = 0, 0.0, False, Guard()
        self.fresh = 0  # the step at which the optimiser started; its warm-up counts from there
        self.tables: dict[str, Tensor] = {}  # of a frozen codec, for adapters
        if not self.path.exists():
            self._start()
        self.model.to(ranks.device)
        self.model.entropy.uniform_like = ranks.uniform_like
        freeze(self.model, stage(plan.stage))
        self.optimiser = optimiser(plan.optimiser, self.model, plan.lr)
        self.average = checkpoint.averaged(self.model)
        if self.path.exists():
            self._resume()
        self.network = self._network()

    @property
    def path(self) -> Path:
        return self.plan.out / "last.pt"

    def _model(self) -> S2LIC:
        return build(self.plan.config, self.plan.seed)

    def _start(self) -> None:
        head_start(self.model, self.photos, self.plan.seed)
        if self.plan.grow is not None:
            grow(self.model, self.plan.grow, self.photos, self.plan.seed)
        if self.plan.init is not None:
            warm_start(self.model, self.plan.init, self.photos, self.plan.seed)
        if self.plan.stage == ADAPTER_STAGE:
            self.tables = load_frozen(self.model, self.plan.init)

    def _network(self) -> nn.Module:
        if self.plan.compiled:
            self.model.g_a.compile()
            self.model.g_s.compile()
        if self.ranks.world == 1:
            return self.model
        return DistributedDataParallel(self.model)

    def _resume(self) -> None:
        state = checkpoint.load(self.path, self.plan.config)
        with checkpoint.fitting(self.path, self.plan.config):
            self._take_over(state)

    def _take_over(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        checkpoint.resume_average(self.average, state["average"], state["step"])
        self.step, self.minutes = state["step"], state["minutes"]
        if self.plan.stage == ADAPTER_STAGE:
            self.tables = state.get("tables", {})
        if state["stage"] == self.plan.stage and "optimiser" in state:
            if state["optimiser"].keys() != self.optimiser.parts.keys():
                raise UsageError(
                    f"{self.path} was not started with --optimiser {self.plan.optimiser}; give the optimiser of the run"
                )
            self.optimiser.load_state_dict(state["optimiser"])
            self.fresh = state["fresh"]
        else:
            self.fresh = self.step

    def save(self) -> None:
        """Writes the checkpoint. Only the first rank does."""
        if not self.ranks.first:
            return
        checkpoint.save(
            self.path,
            {
                "config": self.plan.config,
                "stage": self.plan.stage,
                "model": self.model.state_dict(),
                "average": self.average.module.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "step": self.step,
                "fresh": self.fresh,
                "minutes": self.minutes,
                "tables": self.tables,
            },
        )

    def stop(self) -> None:
        """Ends the run after the current step."""
        self.stopping = True

    def go(self, watch: log.Watcher | None = None) -> None:
        """Trains to the planned end or until `stop`, and saves. Raises TrainingDivergedError."""
        began, spent, first = self.clock(), self.minutes, self.step
        parts: dict[str, float] = {}
        with contextlib.closing(self.batches):
            while (progress := self._progress()) < 1:
                rate = self._rate(progress)
                parts = {"lr": rate, **self.advance(rate)}
                elapsed = (self.clock() - began) / 60
                self.minutes = spent + elapsed
                speed = (self.step - first) / max(60 * elapsed, 1e-9)
                if self.step % self.plan.log_every == 0:
                    self._log(progress, parts, speed, watch)
                if self.step % self.plan.save_every == 0:
                    self.save()
        if parts and self.step % self.plan.log_every:
            self._log(progress, parts, speed, watch)
        self.save()

    def _progress(self) -> float:
        """The progress of the first rank: clocks differ, and a signal does not reach all processes at once."""
        return self.ranks.agree(1.0 if self.stopping else self.plan.progress(self.step, self.minutes))

    def _rate(self, progress: float) -> float:
        plan = self.plan
        return learning_rate(plan.lr, self.step - self.fresh, progress, plan.warmup, plan.decay_from, plan.decay)

    def advance(self, rate: float) -> dict[str, float]:
        """Takes one step at a learning rate and returns the parts of the loss.

        A step that the guard rejects changes no parameter. The centroids of a routing move in the forward pass, so they
        have moved by then; they use finite tokens only.
        """
        self.optimiser.set_rate(rate)
        torch.manual_seed(self.plan.seed * 1_000_003 + self.step)
        if self.step % CENTRE_EVERY == 0 and not self.tables:
            self.model.entropy.centre()
        parts = self._losses()
        self.model.zero_grad(set_to_none=True)
        parts["loss"].backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip)
        means = {k: self.ranks.mean(v.detach()).item() for k, v in parts.items()}
        if self.guard.accepts(means["loss"], norm.item()):
            self.optimiser.step()
            self.average.update_parameters(self.model)
        self.step += 1
        return means

    def _losses(self) -> dict[str, Tensor]:
        """The loss of this rank's share of the step's batch."""
        plan, ranks = self.plan, self.ranks
        levels = ranks.share(self._levels(plan.batch)).to(ranks.device)
        x = self.batches(self.step).to(ranks.device).contiguous(memory_format=torch.channels_last)
        known = self.photos.conditions(plan.batch, plan.crop, (plan.seed, self.step), ranks.rows)
        condition = None if known is None else known.to(ranks.device)
        with torch.autocast(ranks.device.type, torch.bfloat16, enabled=plan.reduces(ranks.device.type)):
            out = self.network(x, levels, condition)
        return rd_loss({k: v.float() for k, v in out.items()}, x, levels, self.model.row.tune)

    def _levels(self, count: int) -> Tensor:
        """The quality levels of a batch, spread evenly over the range in random order."""
        return (torch.randperm(count) + torch.rand(count)) / count * QUALITY_MAX

    def _log(self, progress: float, parts: dict[str, float], speed: float, watch: log.Watcher | None) -> None:
        if not self.ranks.first:
            return
        values = {
            "step": self.step,
            "minutes": self.minutes,
            "steps_per_second": speed,
            "skipped": self.guard.skipped,
            **parts,
        }
        log.append(self.plan.out / "log.csv", values)
        if watch is not None:
            watch(progress, values)


@contextmanager
def open_run(plan: Plan, device: str, threads: int | None) -> Iterator[Run]:
    """A new or resumed run within its process group. The plan is stored in the run's folder.

    Raises:
        S2LICError: See `process_group`, `Photos.load` and `Run`.
        OutputPlaceError: The run's folder cannot be made.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    with process_group(device, plan.batch) as ranks:
        photos = Photos.load(list(plan.data), plan.crop, config(plan.config).transform.cond)
        make_folder(plan.out)  # after the data have been read, so that a wrong option leaves no folder
        if ranks.first:
            plan.save()
        yield Run(plan, Resident.of(photos, ranks.device) if device == "cuda" else photos, ranks)
