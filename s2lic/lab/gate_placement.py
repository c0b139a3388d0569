"""Gate placement: which groups of a trained codec gain most from a gate, per microsecond that it adds.

After Eisenbach et al. 2023, A Little Bit Attention: a light block is judged by its measured time, and its place is
found by search: before the first block of a group, behind the last, or after the sum with the input of the group.
Every placement, including the empty one, is trained for the same steps before it is judged.
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
from s2lic.runtime import ProgressCallback, no_progress
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
LIGHT = 0.03  # share of a block's time; a gate that takes more does not count as light
SIZE = (512, 768)  # of the picture for measuring time
EXHAUSTIVE = 2  # up to this many gates, all placements are tried; larger ones extend the best
RATE = 1e-4

Slots = tuple[str, ...]


@dataclass(frozen=True)
class Placement:
    """A placement, its rate-distortion loss on the calibration set, and the time of g_a and g_s in microseconds."""

    slots: Slots
    loss: float
    microseconds: float

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class PlacementSearch:
    """All placements that were tried, the empty one first."""

    tried: list[Placement]

    @property
    def empty(self) -> Placement:
        return self.tried[0]

    def gain(self, row: Placement) -> float:
        """The loss saved per added microsecond; at least one microsecond is counted."""
        return (self.empty.loss - row.loss) / max(row.microseconds - self.empty.microseconds, 1.0)

    @property
    def best(self) -> Placement:
        """The placement with the largest gain; the empty one if no other has a smaller loss."""
        better = [row for row in self.tried if row.loss < self.empty.loss]
        return max(better, key=self.gain, default=self.empty)


def search(
    slots: Slots, measure: Callable[[Slots], Placement], most: int, done: ProgressCallback = no_progress
) -> PlacementSearch:
    """Tries all placements of one and two gates, then extends the best by one gate as long as it improves.

    Args:
        slots: All places for a gate.
        measure: Trains and measures a placement.
        most: The largest number of gates.
        done: Called with the number of placements tried, and the largest number possible.
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
    """The largest number of placements that a search can try."""
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
    """All slots for a gate, such as `g_a.0.before` at stride 2 or `g_s.0.after` at stride 8.

    Groups without blocks have none. Raises UsageError for a place that is not one of `PLACES`.
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
    """Trains and measures placements of a gate. Batches are (B, 3, H, W) in [0, 1]; `judge` is the one to measure."""

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
        """Trains g_a and g_s only, so that all placements share the entropy model."""
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
        """CPU time, the minimum of several runs."""
        context = model.context(torch.full((len(self.judge),), self.level))
        spent = []
        for _ in range(self.repeats):
            start = time.process_time()
            model.g_s(model.g_a(self.judge - 0.5, context), context)
            spent.append(time.process_time() - start)
        return 1e6 * min(spent)


class Both(nn.Module):
    """Two modules in sequence; each gets the context if it takes one."""

    in_context = True

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        own = context or Context()
        return apply(self.second, apply(self.first, x, own), own)


def with_gates(model: S2LIC, gate: str, slots: Slots) -> S2LIC:
    """A copy of the model in training mode and float32, with a new gate in each slot."""
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
    """The CPU time of a gate relative to that of a block, by stride, for a picture of `SIZE`."""
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
    """The median CPU time of the gate divided by that of the block, measured in turns on one thread."""
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
    """The settings of a search.

    Args:
        data: A folder of pictures to train and judge on.
        gate: The key of the gate.
        most: The largest number of gates.
        places: Places within a group.
        steps: Training steps for each placement.
        batch: Crops per step.
        crop: Side of a crop in pixels, a multiple of 16.
        level: The quality level, 0 to 10000.
        model: The name of shipped weights, or the path of a weights file.

    Raises:
        UsageError: The crop is no multiple of 16, or a place is unknown.
        BlockChoiceError: The key is not that of a gate.
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


def placed(request: PlacementRequest, done: ProgressCallback = no_progress) -> tuple[PlacementSearch, dict[int, float]]:
    """The result of the search, and the relative time of one gate by stride.

    Raises UsageError, UnknownConfigError, InputMissingError, WeightsError.
    """
    photos = Photos.load([request.data], request.crop)
    model = _trained(request.model, photos)
    batches = [photos.batch(request.batch, request.crop, (0, 2, step)) for step in range(request.steps + 1)]
    trial = PlacementTrial(model, request.gate, batches[1:], batches[0], request.level)
    return search(slots_of(model, request.places), trial, request.most, done), shares(model, request.gate)


def _trained(name: str, photos: Photos) -> S2LIC:
    """A trained model, ready for more training. Weights files lack the prior of z, so it is fitted to the pictures."""
    path = Path(name) if name.endswith(".safetensors") else by_config(name).path
    model = load(path).model.float().train().requires_grad_()
    fit_prior(model, photos, 0)
    return model
