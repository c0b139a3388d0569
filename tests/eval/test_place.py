"""The search finds a planted slot, never does worse than nothing, and repeats itself."""

from __future__ import annotations

import pytest
import torch

from s2lic.errors import BlockChoiceError
from s2lic.eval.place import Placed, Search, Slots, Trial, search, slots_of, with_gates
from s2lic.model import build
from tests.references.weights import shaken

SLOTS = ("g_a.1", "g_a.2", "g_s.0", "g_s.1")


def planted(gains: dict[str, float], cost: float = 10.0) -> list[Slots]:
    """Measures by a table; returns what was asked, for counting."""
    asked: list[Slots] = []

    def measure(slots: Slots) -> Placed:
        asked.append(slots)
        return Placed(slots, 1.0 - sum(gains.get(slot, 0.0) for slot in slots), 100.0 + cost * len(slots))

    asked_of = search(SLOTS, measure, 3)
    asked.append(asked_of.best.slots)
    return asked


def test_a_planted_slot_is_found_and_stays_alone_where_others_add_nothing() -> None:
    assert planted({"g_s.0": 0.3})[-1] == ("g_s.0",)


def test_greedy_goes_on_from_the_best_and_agrees_with_trying_all() -> None:
    asked = planted({"g_a.2": 0.3, "g_s.1": 0.3})
    assert asked[:-1][0] == ()
    assert len(asked) - 1 == 1 + 4 + 6 + (2 if len(asked[-1]) == 2 else 0)
    assert set(asked[-1]) <= {"g_a.2", "g_s.1"}


def test_nothing_is_better_than_what_does_harm() -> None:
    assert planted(dict.fromkeys(SLOTS, -0.1))[-1] == ()


def test_gain_is_counted_for_each_microsecond() -> None:
    rows = [Placed((), 1.0, 100.0), Placed(("a",), 0.8, 300.0), Placed(("b",), 0.9, 120.0)]
    assert Search(rows).best.slots == ("b",)
    assert Search(rows).gain(rows[1]) == pytest.approx(0.001)


def test_a_gate_stands_behind_the_last_block_and_the_model_stays_as_it_was() -> None:
    model = shaken(build("tiny"), 0.02)
    assert slots_of(model) == SLOTS
    before = {k: v.clone() for k, v in model.state_dict().items()}
    gated = with_gates(model, "eca", ("g_a.2",))
    assert sum(p.numel() for p in gated.parameters()) == sum(p.numel() for p in model.parameters()) + 3
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_a_trial_repeats_its_loss_and_measures_time() -> None:
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    trial = Trial(shaken(build("tiny"), 0.02), "eca", [x, x], x, 5000, repeats=1)
    first, second = trial(("g_s.0",)), trial(("g_s.0",))
    assert first.loss == second.loss
    assert first.microseconds > 0
    assert first.loss != trial(()).loss


@pytest.mark.parametrize("gate", ["halo", "sentence_gate"])
def test_only_gates_that_need_no_condition_are_placed(gate: str) -> None:
    with pytest.raises(BlockChoiceError, match="not a gate"):
        Trial(build("tiny"), gate, [], torch.zeros(1, 3, 32, 32), 5000)
