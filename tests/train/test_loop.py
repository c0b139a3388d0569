"""The loop: a killed run goes on as if nothing had happened, and bad steps are skipped or end it."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from s2lic.errors import TrainingDivergedError, UsageError, WeightsError
from s2lic.train import checkpoint, init, loop, optimiser
from s2lic.train.data import Photos
from s2lic.train.log import COLUMNS
from s2lic.train.loop import MAX_BAD_STEPS, RECENT, WORST_JUMP, Guard, Run
from s2lic.train.plan import Plan

RATE = 1e-3
TINY = Path(__file__).parents[1] / "models/tiny.safetensors"
Start = Callable[..., Run]


@pytest.fixture
def begin(photos: Photos, quick_start: None, tmp_path: Path) -> Iterator[Start]:
    """Starts runs on generated pictures and closes them all at the end."""
    runs: list[Run] = []
    usual = Plan("tiny", tmp_path / "a", minutes=1, batch=2, crop=64, optimiser="adamw", bf16=False)

    def start(**changes: Any) -> Run:
        runs.append(Run(replace(usual, **changes), photos))
        return runs[-1]

    yield start
    for run in runs:
        run.batches.close()


def flat(state: Any, name: str = "") -> dict[str, Any]:
    """Every leaf of nested dicts and lists by its path."""
    if isinstance(state, (dict, list)):
        items = state.items() if isinstance(state, dict) else enumerate(state)
        return {k: v for key, part in items for k, v in flat(part, f"{name}/{key}").items()}
    return {name: state}


def whole(run: Run) -> dict[str, Any]:
    """Weights, their average and the optimiser's state."""
    parts = (run.model.state_dict(), run.average.module.state_dict(), run.optimiser.state_dict())
    return flat(list(map(dict, parts)))


def differences(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    def same(x: Any, y: Any) -> bool:
        return torch.equal(x, y) if isinstance(x, Tensor) else x == y

    assert a.keys() == b.keys()
    return [key for key in a if not same(a[key], b[key])]


@pytest.mark.parametrize("name", ["adamw", "soap"])
def test_a_killed_run_goes_on_to_the_same_weights_as_an_uninterrupted_one(
    begin: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(optimiser, "PRECONDITION_EVERY", 2)  # a new basis on both sides of the kill
    monkeypatch.setattr(optimiser, "PRECONDITION_MAX", 100)
    through = begin(optimiser=name)
    start = {k: v.clone() for k, v in through.model.state_dict().items()}
    losses = [through.advance(RATE)["loss"] for _ in range(4)]

    killed = begin(optimiser=name, out=tmp_path / "b")
    again = [killed.advance(RATE)["loss"] for _ in range(2)]
    killed.save()
    killed.advance(RATE)  # lost with the process
    resumed = begin(optimiser=name, out=tmp_path / "b")
    assert resumed.step == 2
    again += [resumed.advance(RATE)["loss"] for _ in range(2)]

    assert again == losses
    assert differences(whole(resumed), whole(through)) == []
    assert len(differences(start, through.model.state_dict())) > len(start) / 2


@pytest.mark.parametrize("key", ["model", "stage", "fresh"])
def test_a_checkpoint_that_lacks_a_part_is_refused_by_name(begin: Start, key: str) -> None:
    run = begin()
    run.save()
    state = checkpoint.load(run.path)
    del state[key]
    checkpoint.save(run.path, state)
    with pytest.raises(WeightsError, match=f"last.pt does not fit the configuration 'tiny'.*lacks '{key}'"):
        begin()


def test_a_checkpoint_with_other_layers_under_the_same_name_is_refused_by_name(begin: Start) -> None:
    run = begin()
    run.save()
    state = checkpoint.load(run.path)
    state["model"]["g_a.more"] = torch.zeros(1)
    checkpoint.save(run.path, state)
    with pytest.raises(WeightsError, match=r"(?s)last.pt does not fit the configuration 'tiny'.*g_a\.more"):
        begin()


@pytest.mark.parametrize(("first", "second"), [("adamw", "soap"), ("soap", "adamw")])
def test_a_run_under_another_optimiser_is_the_callers_fault(begin: Start, first: str, second: str) -> None:
    begin(optimiser=first).save()
    with pytest.raises(UsageError, match=f"last.pt was not started with --optimiser {second}"):
        begin(optimiser=second)


def test_a_step_is_that_of_its_own_number_and_seed(begin: Start, tmp_path: Path) -> None:
    first, same, other = begin(), begin(out=tmp_path / "b"), begin(out=tmp_path / "c", seed=1)
    torch.manual_seed(999)
    one = first.advance(RATE)
    torch.manual_seed(111)
    assert same.advance(RATE) == one
    assert other.advance(RATE) != one


def test_every_step_draws_qualities_of_its_own_from_the_whole_range(
    begin: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[float] = []
    true_loss = loop.rd_loss

    def spy(out: dict[str, Tensor], x: Tensor, levels: Tensor, tune: str) -> dict[str, Tensor]:
        drawn.extend(levels.tolist())
        return true_loss(out, x, levels, tune)

    monkeypatch.setattr(loop, "rd_loss", spy)
    run = begin(crop=16)
    for _ in range(12):
        run.advance(RATE)
    assert len(set(drawn)) == 24
    assert 0 <= min(drawn) < 2000
    assert 8000 < max(drawn) <= 10_000


def poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every loss is not a number."""
    true_loss = loop.rd_loss

    def bad(out: dict[str, Tensor], x: Tensor, levels: Tensor, tune: str) -> dict[str, Tensor]:
        parts = true_loss(out, x, levels, tune)
        return {**parts, "loss": parts["loss"] * torch.nan}

    monkeypatch.setattr(loop, "rd_loss", bad)


def test_a_batch_of_no_numbers_skips_the_update_too(begin: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begin()
    run.advance(RATE)
    before = {k: v.clone() if isinstance(v, Tensor) else v for k, v in whole(run).items()}
    drawn = type(run.batches).__call__
    monkeypatch.setattr(type(run.batches), "__call__", lambda batches, step: drawn(batches, step) * torch.nan)
    run.advance(RATE)
    assert (run.step, run.guard.skipped) == (2, 1)
    assert differences(whole(run), before) == []


def test_a_loss_that_is_not_a_number_skips_the_update(begin: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begin()
    run.advance(RATE)
    before = {k: v.clone() if isinstance(v, Tensor) else v for k, v in whole(run).items()}
    with monkeypatch.context() as patch:
        poison(patch)
        run.advance(RATE)
    assert (run.step, run.guard.bad_in_a_row, run.guard.skipped) == (2, 1, 1)
    assert differences(whole(run), before) == []
    run.advance(RATE)
    assert (run.guard.bad_in_a_row, run.guard.skipped) == (0, 1)
    assert differences(whole(run), before) != []


def test_too_many_bad_steps_in_a_row_end_the_run(begin: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begin()
    poison(monkeypatch)
    for _ in range(MAX_BAD_STEPS):
        run.advance(RATE)
    with pytest.raises(TrainingDivergedError, match="lower --lr"):
        run.advance(RATE)


def test_gradients_are_clipped_to_the_planned_norm(begin: Start) -> None:
    run = begin(clip=1e-3)
    run.advance(0.0)
    squares = [p.grad.pow(2).sum() for p in run.model.parameters() if p.grad is not None]
    assert torch.stack(squares).sum().sqrt().item() == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("able", [True, False])
def test_a_step_is_in_bf16_where_the_cpu_multiplies_it(
    begin: Start, able: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2lic.train.plan.multiplies_bf16", lambda: able)
    run, seen = begin(bf16=None), list[torch.dtype]()
    run.model.g_a.down[0].register_forward_hook(lambda *call: seen.append(call[2].dtype))
    run.advance(RATE)
    assert seen == [torch.bfloat16 if able else torch.float32]


def test_a_step_in_bf16_keeps_weights_and_losses_finite(begin: Start) -> None:
    run = begin(bf16=True)
    parts = run.advance(RATE)
    assert all(map(math.isfinite, parts.values()))
    assert run.guard.skipped == 0
    assert all(p.dtype == torch.float32 for p in run.model.parameters())


def clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """A clock for the loop alone that has moved by `seconds` at every look."""
    ticks = itertools.count()
    fake = SimpleNamespace(monotonic=lambda: seconds * next(ticks))
    monkeypatch.setattr(loop, "time", fake)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_ends_with_its_minutes_logs_its_steps_and_is_not_repeated(
    begin: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = {"minutes": 2, "warmup": 2, "decay_from": 0.5, "log_every": 1, "lr": 0.01}
    clock(monkeypatch, 30)
    run = begin(**plan)
    run.go()
    log = rows(tmp_path / "a" / "log.csv")
    assert (run.step, run.minutes) == (4, 2)
    assert tuple(log[0]) == COLUMNS
    assert [row["step"] for row in log] == ["1", "2", "3", "4"]
    assert [float(row["lr"]) for row in log] == pytest.approx([0.005, 0.01, 0.01, 0.005])
    assert [float(row["minutes"]) for row in log] == pytest.approx([0.5, 1, 1.5, 2])

    resumed = begin(**plan)
    resumed.go()
    assert resumed.step == 4
    assert differences(whole(resumed), whole(run)) == []
    assert len(rows(tmp_path / "a" / "log.csv")) == 4


def test_the_last_step_is_logged_whatever_its_number(begin: Start, tmp_path: Path) -> None:
    begin(minutes=None, steps=4, log_every=3).go()
    assert [row["step"] for row in rows(tmp_path / "a" / "log.csv")] == ["3", "4"]


def test_a_longer_plan_goes_on_from_the_minutes_already_spent(
    begin: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(monkeypatch, 30)
    begin(minutes=1, log_every=1).go()
    longer = begin(minutes=1.5, log_every=1)
    longer.go()
    assert (longer.step, longer.minutes) == (3, 1.5)
    assert [row["step"] for row in rows(tmp_path / "a" / "log.csv")] == ["1", "2", "3"]


def test_a_run_saves_on_its_way(begin: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, 30)
    saved: list[int] = []
    monkeypatch.setattr(Run, "save", lambda self: saved.append(self.step))
    begin(minutes=2.5, save_every=2).go()
    assert saved == [2, 4, 5]


def test_a_run_told_to_stop_ends_after_its_step_and_saves(begin: Start, tmp_path: Path) -> None:
    run = begin(minutes=None, steps=50, log_every=1)
    run.go(lambda *_: run.stop())
    assert run.step == 1
    assert begin(minutes=None, steps=50).step == 1


def test_minutes_are_those_of_the_clock_that_is_given(photos: Photos, quick_start: None, tmp_path: Path) -> None:
    ticks = itertools.count()
    plan = Plan("tiny", tmp_path / "a", minutes=2, batch=2, crop=64, optimiser="adamw", bf16=False)
    run = Run(plan, photos, clock=lambda: 40.0 * next(ticks))
    run.go()
    assert (run.step, run.minutes) == (3, 2)


def test_a_planned_number_of_steps_is_kept_whatever_the_clock_says(begin: Start) -> None:
    run = begin(minutes=None, steps=3, log_every=1)
    seen: list[float] = []
    run.go(lambda progress, _: seen.append(progress))
    assert run.step == 3
    assert seen == pytest.approx([0, 1 / 3, 2 / 3])


def test_the_qualities_of_a_batch_are_spread_evenly_over_the_range(
    begin: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Tensor] = []
    true_loss = loop.rd_loss

    def spy(out: dict[str, Tensor], x: Tensor, levels: Tensor, tune: str) -> dict[str, Tensor]:
        drawn.append(levels)
        return true_loss(out, x, levels, tune)

    monkeypatch.setattr(loop, "rd_loss", spy)
    begin(batch=4, crop=16).advance(RATE)
    assert (drawn[0] / 2500).floor().sort().values.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("stage", ["g_s", "gains"])
def test_a_stage_moves_its_own_parameters_and_no_others(begin: Start, stage: str) -> None:
    prefix = {"g_s": "g_s.", "gains": "entropy.gains."}[stage]
    run = begin(stage=stage)
    before = {k: v.clone() for k, v in run.model.state_dict().items()}
    for _ in range(2):
        run.advance(RATE)
    moved = {k for k in differences(before, run.model.state_dict()) if not k.endswith("z_centre")}
    assert moved
    assert all(name.startswith(prefix) for name in moved)


def test_a_stage_begins_from_the_weights_of_the_one_before_it(begin: Start) -> None:
    first = begin()
    first.advance(RATE)
    first.save()
    second = begin(stage="g_s")
    assert second.step == 1
    assert differences(first.model.state_dict(), second.model.state_dict()) == []


def test_a_run_begun_from_weights_has_them(begin: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "FIT_STEPS", 2)
    monkeypatch.setattr(init, "FIT_BATCHES", 1)
    run = begin(init=TINY)
    state = run.model.state_dict()
    stored = load_file(TINY)
    shared = [name for name in stored if name in state]
    assert len(shared) > 100
    assert all(torch.equal(state[n], stored[n].float()) for n in shared if not n.endswith("z_centre"))


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, math.inf)])
def test_a_step_that_is_not_finite_is_not_taken(loss: float, norm: float) -> None:
    guard = Guard()
    assert not guard.accepts(loss, norm)
    assert guard.accepts(1.0, 1.0)
    assert (guard.skipped, guard.bad_in_a_row) == (1, 0)


def test_a_loss_that_leaps_away_from_the_recent_ones_is_not_taken() -> None:
    guard = Guard()
    assert all(guard.accepts(2.0, 1.0) for _ in range(RECENT))
    assert guard.accepts(2.0 * WORST_JUMP, 1.0)
    assert not guard.accepts(2.0 * WORST_JUMP * 1.01, 1.0)


def test_a_start_may_be_wild() -> None:
    guard = Guard()
    assert all(guard.accepts(loss, 1.0) for loss in (1.0, 1e6, 1.0))


def test_too_many_bad_steps_in_a_row_end_the_run_and_good_ones_between_do_not() -> None:
    guard = Guard()
    for _ in range(3):
        assert not any(guard.accepts(math.nan, 1.0) for _ in range(MAX_BAD_STEPS))
        assert guard.accepts(1.0, 1.0)
    for _ in range(MAX_BAD_STEPS):
        guard.accepts(math.nan, 1.0)
    with pytest.raises(TrainingDivergedError, match="lower --lr"):
        guard.accepts(math.nan, 1.0)
