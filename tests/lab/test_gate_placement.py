"""The search finds a planted slot, never does worse than nothing, and repeats itself."""

from __future__ import annotations

import time
from itertools import combinations

import pytest
import torch

from s2lic.errors import BlockChoiceError, UsageError
from s2lic.lab.gate_placement import (
    AFTER,
    PLACES,
    Placement,
    PlacementSearch,
    PlacementTrial,
    Slots,
    search,
    share,
    shares,
    slots_of,
    with_gates,
)
from s2lic.model import build
from s2lic.transform.blocks.eca import Eca
from tests.references.weights import shaken

SLOTS = ("g_a.1", "g_a.2", "g_s.0", "g_s.1")
GROUPS = {"g_a": (1, 2), "g_s": (0, 1)}  # of tiny, those that have blocks


COSTS = dict(zip(SLOTS, (10.0, 20.0, 10.0, 30.0), strict=True))  # microseconds
# What each set of slots saves, beside what its parts do; and which is best for its time.
TOYS = {
    "one": ({("g_s.0",): 0.3}, ("g_s.0",)),
    "two that help each other": ({("g_a.1",): 0.1, ("g_a.1", "g_s.1"): 0.5}, ("g_a.1", "g_s.1")),
    "three that help each other": (
        {("g_a.2",): 0.1, ("g_a.2", "g_s.0"): 0.1, ("g_a.2", "g_s.0", "g_s.1"): 0.6},
        ("g_a.2", "g_s.0", "g_s.1"),
    ),
    "none": (dict.fromkeys(zip(SLOTS, strict=True), -0.1), ()),
}


class Toy:
    """Measures by a table, and keeps what it was asked."""

    def __init__(self, saved: dict[Slots, float]) -> None:
        self.saved = saved
        self.asked: list[Slots] = []

    def __call__(self, slots: Slots) -> Placement:
        self.asked.append(slots)
        return Placement(slots, 1.0 - self.saves(slots), 100.0 + sum(COSTS[slot] for slot in slots))

    def saves(self, slots: Slots) -> float:
        return sum(saved for part, saved in self.saved.items() if set(part) <= set(slots))


@pytest.mark.parametrize("key", TOYS)
def test_the_search_finds_what_trying_all_finds(key: str) -> None:
    saved, best = TOYS[key]
    toy = Toy(saved)
    worth = {
        slots: toy.saves(slots) / sum(COSTS[slot] for slot in slots)
        for count in range(1, len(SLOTS) + 1)
        for slots in combinations(SLOTS, count)
    } | {(): 0.0}
    assert [slots for slots, gain in worth.items() if gain >= worth[best]] == [best]
    assert set(search(SLOTS, toy, len(SLOTS)).best.slots) == set(best)


def test_singles_and_pairs_are_all_tried_and_a_larger_set_only_out_of_a_best_that_has_just_grown() -> None:
    small = [slots for count in range(3) for slots in combinations(SLOTS, count)]
    for key, larger in (("one", []), ("two that help each other", [{"g_a.2"}, {"g_s.0"}])):
        toy = Toy(TOYS[key][0])
        search(SLOTS, toy, len(SLOTS))
        assert toy.asked[: len(small)] == small
        assert [set(slots) - set(TOYS[key][1]) for slots in toy.asked[len(small) :]] == larger


def test_a_search_tells_how_many_of_how_many_at_most_are_tried() -> None:
    told: list[tuple[int, int]] = []

    def measure(slots: Slots) -> Placement:
        return Placement(slots, 1.0 - 0.1 * len(slots), 100.0)

    found = search(SLOTS, measure, 3, lambda count, of: told.append((count, of)))
    assert told == [(count, 1 + 4 + 6 + 2) for count in range(1, 13)]
    assert len(found.tried) == 13


def test_gain_is_counted_for_each_microsecond() -> None:
    rows = [Placement((), 1.0, 100.0), Placement(("a",), 0.8, 300.0), Placement(("b",), 0.9, 120.0)]
    assert PlacementSearch(rows).best.slots == ("b",)
    assert PlacementSearch(rows).gain(rows[1]) == pytest.approx(0.001)


def test_slots_are_three_for_each_group_with_blocks_and_may_be_fewer() -> None:
    model = build("tiny")
    assert slots_of(model) == tuple(
        f"{part}.{i}.{place}" for part, found in GROUPS.items() for i in found for place in PLACES
    )
    assert slots_of(model, [AFTER]) == ("g_a.1.after", "g_a.2.after", "g_s.0.after", "g_s.1.after")
    with pytest.raises(UsageError, match="no place 'beside' in a group; there are before, behind, after"):
        slots_of(model, ["beside"])


def test_a_gate_stands_where_its_slot_says_and_the_model_stays_as_it_was() -> None:
    """Each gate multiplies by a number of its own, which stands in another place of x + blocks(x)."""
    model = shaken(build("tiny"), 0.02)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    gated = with_gates(model, "eca", ("g_a.2.after", "g_a.2.before", "g_a.2.behind")).eval()
    assert sum(p.numel() for p in gated.parameters()) == sum(p.numel() for p in model.parameters()) + 3 * 3
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    factors, group = iter((2.0, 3.0, 5.0)), gated.g_a.groups[2]
    for module in (group.first.blocks[0].first, group.first.gates[-1].second, group.second):
        assert isinstance(module, Eca)
        module.register_forward_hook(lambda _, args, out, factor=next(factors): factor * args[0])  # type: ignore[misc]
    x, plain = torch.randn(1, 8, 9, 10), model.g_a.groups[2].eval()
    inside = plain(2 * x) - 2 * x
    torch.testing.assert_close(group(x), 5 * (x + 3 * inside), rtol=0, atol=1e-4)


def test_a_conditioned_gate_is_told_the_quality_in_every_place() -> None:
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model = shaken(build("tiny"), 0.02)
    trial = PlacementTrial(model, "sentence_gate", [x, x], x, 5000, repeats=1)
    plain = trial(())
    assert all(trial((slot,)).loss != plain.loss for slot in slots_of(model)[:3])
    assert not model.conditioned


def test_a_gates_share_of_a_blocks_time_is_measured() -> None:
    class Slow(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            until = time.process_time() + 0.004
            while time.process_time() < until:
                pass
            return x

    class Slower(Slow):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(super().forward(x))

    assert share(Slow(), Slower(), torch.zeros(1), repeats=5) == pytest.approx(0.5, rel=0.2)
    found = shares(build("tiny"), "eca", repeats=1)
    assert set(found) == {4, 8}
    assert min(found.values()) > 0


def test_a_trial_repeats_its_loss_and_measures_time() -> None:
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    trial = PlacementTrial(shaken(build("tiny"), 0.02), "eca", [x, x], x, 5000, repeats=1)
    first, second = trial(("g_s.0.behind",)), trial(("g_s.0.behind",))
    assert first.loss == second.loss
    assert first.microseconds > 0
    assert first.loss != trial(()).loss


def test_only_gates_are_placed() -> None:
    with pytest.raises(BlockChoiceError, match="'halo' is not a gate"):
        PlacementTrial(build("tiny"), "halo", [], torch.zeros(1, 3, 32, 32), 5000)
