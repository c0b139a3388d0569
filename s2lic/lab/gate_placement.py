"""Where a gate pays: which groups of a trained codec gain most by one, per microsecond that it adds.

After Eisenbach et al. 2023, A Little Bit Attention: a light block is judged by measured time, and where it stands is
searched for: before a group's first block, behind its last, or after the sum with the group's input. Every placement,
the empty one too, is trained alike before it is judged.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import asdict, dataclass
from itertools import combinations
from math import comb
from pathlib import Path

import torch
from torch import Tensor, nn

from s2lic.errors import BlockChoiceError, UsageError
from s2lic.model import S2LIC
from s2lic.progress import Done, unheard
from s2lic.train.data import Photos
from s2lic.train.init import fit_prior
from s2lic.train.loss import rd_loss
from s2lic.transform.blocks import block_row, create_block
from s2lic.transform.config import STRIDE
from s2lic.transform.context import QUALITY_WIDTH, Context, apply
from s2lic.transform.group import ResidualGroup
from s2lic.weights.manifest import by_config
from s2lic.weights.store import load

BEFORE, BEHIND, AFTER = PLACES = ("before", "behind", "after")
LIGHT = 0.03  # of a block's time; a gate that takes more is not a little attention
SIZE = (512, 768)  # of the picture whose maps time is measured on
EXHAUSTIVE = 2  # placements of so many gates are all tried; larger ones grow out of the best
RATE = 1e-4

Slots = tuple[str, ...]


@dataclass(frozen=True)
class Placement:
    """A placement, its rate-distortion loss on the calibration set, and the microseconds of g_a and g_s together."""

    slots: Slots
    loss: float
    microseconds: float

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class PlacementSearch:
    """All that was tried, the empty placement first."""

    tried: list[Placement]

    @property
    def empty(self) -> Placement:
        return self.tried[0]

    def gain(self, row: Placement) -> float:
        """What of the loss it saves for each microsecond that it adds, at least one."""
        return (self.empty.loss - row.loss) / max(row.microseconds - self.empty.microseconds, 1.0)

    @property
    def best(self) -> Placement:
        """The empty placement unless another has a smaller loss."""
        better = [row for row in self.tried if row.loss < self.empty.loss]
        return max(better, key=self.gain, default=self.empty)


def search(slots: Slots, measure: Callable[[Slots], Placement], most: int, done: Done = unheard) -> PlacementSearch:
    """Placements of up to `most` gates: all of one and two, then the best with one more as long as that is better.

    `done` hears how many are tried, of how many at most.
    """
    tried, of = [measure(())], _at_most(len(slots), most)
    for count in range(1, min(most, len(slots)) + 1):
        sets: Iterable[Slots] = combinations(slots, count)
        if count > EXHAUSTIVE:
            best = PlacementSearch(tried).best.slots
            sets = [(*best, slot) for slot in slots if slot not in best and len(best) == count - 1]
        for each in sets:
            done(len(tried), of)
            tried.append(measure(each))
    return PlacementSearch(tried)


def _at_most(slots: int, most: int) -> int:
    """So many placements a search tries; fewer, where larger ones have none to grow out of."""
    sizes = range(1, min(most, slots) + 1)
    return 1 + sum(comb(slots, size) if size <= EXHAUSTIVE else slots - size + 1 for size in sizes)


def check_places(places: Iterable[str]) -> None:
    """Raises UsageError for a place that is not one of `PLACES`."""
    if odd := sorted(set(places) - set(PLACES)):
        raise UsageError(f"no place '{odd[0]}' in a group; there are {', '.join(PLACES)}")


def check_gate(key: str) -> None:
    """Raises BlockChoiceError unless the key is that of a gate."""
    if block_row(key).kind != "gate":
        raise BlockChoiceError(f"'{key}' is not a gate; take eca, little_attention or sentence_gate")


def slots_of(model: S2LIC, places: Iterable[str] = PLACES) -> Slots:
    """Where a gate can stand: `g_a.0.before` in the group at stride 2, `g_s.0.after` in that at stride 8.

    Only groups that have blocks. Raises UsageError for a place that is not one of `PLACES`.
    """
    places = tuple(places)
    check_places(places)
    return tuple(
        f"{part}.{index}.{place}"
        for part in ("g_a", "g_s")
        for index, group in enumerate(model.get_submodule(part).groups)  # type: ignore[arg-type]
        if len(group.blocks)
        for place in places
    )


@dataclass(frozen=True)
class PlacementTrial:
    """Measures placements of a gate in a model: batches to train on, one to judge by, (B, 3, H, W) in [0, 1]."""

    model: S2LIC
    gate: str
    batches: list[Tensor]
    judge: Tensor
    level: int
    repeats: int = 5

    def __post_init__(self) -> None:
        check_gate(self.gate)

    def __call__(self, slots: Slots) -> Placement:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = with_gates(self.model, self.gate, slots)
            self._train(model)
            torch.manual_seed(0)
            with torch.no_grad():
                loss = float(self._loss(model, self.judge))
        return Placement(slots, loss, self._microseconds(model.eval()))

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


class Both(nn.Module):
    """One module and then another, with the context for those that ask for it."""

    in_context = True

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        own = context or Context()
        return apply(self.second, apply(self.first, x, own), own)


def with_gates(model: S2LIC, gate: str, slots: Slots) -> S2LIC:
    """A copy in training mode and float32 with a new gate in each slot that is named."""
    model = deepcopy(model).float().train().requires_grad_()
    model.conditioned = model.conditioned or (bool(slots) and block_row(gate).needs_cond)
    for slot in slots:
        part, index, place = slot.split(".")
        groups = model.get_submodule(f"{part}.groups")
        assert isinstance(groups, nn.ModuleList)
        _insert(groups, int(index), place, create_block(gate, _width(model, part, int(index))))
    return model


def _insert(groups: nn.ModuleList, index: int, place: str, gate: nn.Module) -> None:
    if place == AFTER:
        groups[index] = Both(groups[index], gate)
        return
    group = groups[index].first if isinstance(groups[index], Both) else groups[index]
    assert isinstance(group, ResidualGroup)
    if place == BEFORE:
        group.blocks[0] = Both(gate, group.blocks[0])
    else:
        group.gates[-1] = Both(group.gates[-1], gate)


def shares(model: S2LIC, gate: str, repeats: int = 30) -> dict[int, float]:
    """Which part of a block's processor time a gate takes, by stride, on the maps of g_a for a picture of `SIZE`."""
    found, widths = {}, model.row.transform.widths
    for index, group in enumerate(model.g_a.groups):
        assert isinstance(group, ResidualGroup)
        if len(group.blocks):
            stride = 2 ** (index + 1)
            x = torch.randn(1, widths[index], SIZE[0] // stride, SIZE[1] // stride)
            block = deepcopy(group.blocks[-1]).float().eval()
            found[stride] = share(create_block(gate, widths[index]).eval(), block, x, repeats)
    return found


@torch.inference_mode()
def share(gate: nn.Module, block: nn.Module, x: Tensor, repeats: int = 30) -> float:
    """The median of the gate's processor time by that of the block's, on one thread, in turns."""
    blank, threads = torch.zeros(1, QUALITY_WIDTH), torch.get_num_threads()
    times: dict[nn.Module, list[float]] = {gate: [], block: []}
    torch.set_num_threads(1)
    try:
        for _ in range(repeats + 1):
            for module, spent in times.items():
                context = Context(quality=blank)
                start = time.process_time()
                apply(module, x, context)
                spent.append(time.process_time() - start)
    finally:
        torch.set_num_threads(threads)
    return statistics.median(times[gate][1:]) / statistics.median(times[block][1:])


def _width(model: S2LIC, part: str, index: int) -> int:
    widths = model.row.transform.widths
    return widths[index] if part == "g_a" else widths[2 - index]


@dataclass(frozen=True)
class PlacementRequest:
    """Up to `most` gates in groups of a model, shipped weights by name or a weights file; judged at a level 0..10000.

    Placements are trained and judged on pictures under the folder `data`, `batch` crops a step. Raises UsageError for
    crops of a side that is no multiple of 16 and for places that are none, BlockChoiceError.
    """

    data: Path
    gate: str
    most: int
    places: tuple[str, ...] = PLACES
    steps: int = 20
    batch: int = 4
    crop: int = 128
    level: int = 5000
    model: str = "nano"

    def __post_init__(self) -> None:
        if self.crop % STRIDE:
            raise UsageError(f"--crop takes multiples of {STRIDE}, not {self.crop}")
        check_places(self.places)
        check_gate(self.gate)


def placed(request: PlacementRequest, done: Done = unheard) -> tuple[PlacementSearch, dict[int, float]]:
    """What was tried, and which part of a block's time one gate takes by stride; `done` hears of each placement.

    Raises UsageError, UnknownConfigError, InputMissingError, WeightsError.
    """
    photos = Photos.load([request.data], request.crop)
    model = _trained(request.model, photos)
    batches = [photos.batch(request.batch, request.crop, (0, 2, step)) for step in range(request.steps + 1)]
    trial = PlacementTrial(model, request.gate, batches[1:], batches[0], request.level)
    return search(slots_of(model, request.places), trial, request.most, done), shares(model, request.gate)


def _trained(name: str, photos: Photos) -> S2LIC:
    """The model of some weights, ready to be trained on; the prior of z, which they lack, is fitted to the pictures."""
    path = Path(name) if name.endswith(".safetensors") else by_config(name).path
    model = load(path).model.float().train().requires_grad_()
    fit_prior(model, photos, 0)
    return model
