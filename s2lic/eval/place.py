"""Where a gate pays: which groups of a trained codec gain most by one, per microsecond that it adds.

After Eisenbach et al. 2023, A Little Bit Attention: a light block is judged by measured time, and where it stands is
searched for. Every placement, the empty one too, is trained alike before it is judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import asdict, dataclass
from itertools import combinations

import torch
from torch import Tensor, nn

from s2lic.errors import BlockChoiceError
from s2lic.model import S2LIC
from s2lic.train.loss import rd_loss
from s2lic.transform.blocks import block_row, create_block
from s2lic.transform.group import ResidualGroup

EXHAUSTIVE = 2  # placements of so many gates are all tried; larger ones grow out of the best
RATE = 1e-4

Slots = tuple[str, ...]


@dataclass(frozen=True)
class Placed:
    """A placement, its rate-distortion loss on the calibration set, and the microseconds of g_a and g_s together."""

    slots: Slots
    loss: float
    microseconds: float

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Search:
    """All that was tried, the empty placement first."""

    tried: list[Placed]

    @property
    def empty(self) -> Placed:
        return self.tried[0]

    def gain(self, row: Placed) -> float:
        """What of the loss it saves for each microsecond that it adds, at least one."""
        return (self.empty.loss - row.loss) / max(row.microseconds - self.empty.microseconds, 1.0)

    @property
    def best(self) -> Placed:
        """The empty placement unless another has a smaller loss."""
        better = [row for row in self.tried if row.loss < self.empty.loss]
        return max(better, key=self.gain, default=self.empty)


def search(slots: Slots, measure: Callable[[Slots], Placed], most: int) -> Search:
    """Placements of up to `most` gates: all of one and two, larger ones by what gains most beside the best."""
    tried = [measure(())]
    for count in range(1, min(most, len(slots)) + 1):
        sets: Iterable[Slots] = combinations(slots, count)
        if count > EXHAUSTIVE:
            best = Search(tried).best.slots
            sets = [(*best, slot) for slot in slots if slot not in best and len(best) == count - 1]
        tried += [measure(each) for each in sets]
    return Search(tried)


def slots_of(model: S2LIC) -> Slots:
    """The groups that have blocks, behind the last of which a gate can stand: `g_a.0` at stride 2, `g_s.0` at 8."""
    return tuple(
        f"{part}.{index}"
        for part in ("g_a", "g_s")
        for index, group in enumerate(model.get_submodule(part).groups)  # type: ignore[arg-type]
        if len(group.blocks)
    )


@dataclass(frozen=True)
class Trial:
    """Measures placements of a gate in a model: batches to train on, one to judge by, (B, 3, H, W) in [0, 1]."""

    model: S2LIC
    gate: str
    batches: list[Tensor]
    judge: Tensor
    level: int
    repeats: int = 5

    def __post_init__(self) -> None:
        row = block_row(self.gate)
        if row.kind != "gate" or row.needs_cond:
            raise BlockChoiceError(f"'{self.gate}' is not a gate that can be placed; take eca or little_attention")

    def __call__(self, slots: Slots) -> Placed:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = with_gates(self.model, self.gate, slots)
            self._train(model)
            torch.manual_seed(0)
            with torch.no_grad():
                loss = float(self._loss(model, self.judge))
        return Placed(slots, loss, self._microseconds(model.eval()))

    def _train(self, model: S2LIC) -> None:
        """g_a and g_s alone, so that the entropy model is the same for all."""
        learnt = [p for part in (model.g_a, model.g_s) for p in part.parameters()]
        optimiser = torch.optim.AdamW(learnt, lr=RATE, weight_decay=0.0)
        for x in self.batches:
            optimiser.zero_grad()
            self._loss(model, x).backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    def _loss(self, model: S2LIC, x: Tensor) -> Tensor:
        levels = torch.full((len(x),), self.level)
        return rd_loss(model(x, levels), x, levels)["loss"]

    @torch.no_grad()
    def _microseconds(self, model: S2LIC) -> float:
        """Of the processor, the least of several runs."""
        context = model.context(torch.full((len(self.judge),), self.level))
        spent = []
        for _ in range(self.repeats):
            start = time.process_time()
            model.g_s(model.g_a(self.judge - 0.5, context), context)
            spent.append(time.process_time() - start)
        return 1e6 * min(spent)


def with_gates(model: S2LIC, gate: str, slots: Slots) -> S2LIC:
    """A copy in training mode and float32 with a new gate behind the last block of each group that is named."""
    model = deepcopy(model).float().train().requires_grad_()
    for slot in slots:
        part, index = slot.split(".")
        group = model.get_submodule(f"{part}.groups.{index}")
        assert isinstance(group, ResidualGroup)
        group.gates[-1] = nn.Sequential(group.gates[-1], create_block(gate, _width(model, part, int(index))))
    return model


def _width(model: S2LIC, part: str, index: int) -> int:
    widths = model.row.transform.widths
    return widths[index] if part == "g_a" else widths[2 - index]
