"""Ablations at tiny size: rows differ in one thing, all train as long by one clock, and none is done twice."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch import nn

from s2lic.codec import Codec
from s2lic.eval.records import Point
from s2lic.lab import ablate, ablations, likely
from s2lic.lab.ablate import AblationResult, AblationRun, line, made, read, write
from s2lic.lab.ablations import ABLATIONS, BASE, Ablation
from s2lic.model import S2LIC, build, config
from s2lic.train import init
from s2lic.train.data import Photos
from tests.exporting import exported
from tests.train.conftest import smooth

SIZES = {"batch": 2, "crop": 64, "optimiser": "adamw", "bf16": False}
TINY = Ablation("base", "", config("tiny"))
CHANGED = [row for row in ABLATIONS if row.change is not None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for i in range(2):
        Image.fromarray(smooth(192, 208, i)).save(tmp_path / f"photos/{i}.png")
    return tmp_path / "photos"


@pytest.fixture
def photos(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Photos:
    monkeypatch.setattr(init, "PATCHES_FROM", 4)
    return Photos.load([folder], 64)


def outcome(rate: float) -> AblationResult:
    points = tuple(Point(rate * 2**k, 29.0 + 2 * k, quality=20.0 * k) for k in range(6))
    return AblationResult(1.0, 10, rate, points, 20.0, 1.0)


def has(model: S2LIC, kind: str) -> bool:
    return any(type(module).__name__ == kind for module in model.modules())


def same(model: S2LIC, other: S2LIC) -> bool:
    ours, theirs = model.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(v, theirs[k]) for k, v in ours.items())


def test_every_row_has_a_name_of_its_own_and_differs_from_the_base() -> None:
    assert len({row.name for row in ABLATIONS}) == len(ABLATIONS)
    base, *others = (replace(row, name="", says="") for row in ABLATIONS)
    assert base == Ablation("", "", BASE)
    assert all(row != base for row in others)


@pytest.mark.parametrize("row", CHANGED, ids=lambda row: row.name)
def test_a_changed_model_trains(row: Ablation) -> None:
    plain, model = build("tiny"), build("tiny")
    assert row.change is not None
    row.change(model)
    assert not same(model, plain)
    out = model(torch.rand(2, 3, 64, 64), torch.tensor([0.0, 9000.0]))
    (out["x_hat"].sum() + out["y_bits"].sum() + out["z_bits"].sum()).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_what_is_switched_off_is_gone() -> None:
    models = {change: build("tiny") for change in (ablations.no_attention, ablations.no_global, ablations.no_context)}
    for change, model in models.items():
        change(model)
    assert has(build("tiny"), "DeformableAttention")
    assert not any(has(model, "DeformableAttention") for model in models.values())
    assert [has(model, "AdjacentContext") for model in models.values()] == [True, True, False]


def test_without_the_local_branch_the_context_is_the_global_one() -> None:
    plain, model = build("tiny"), build("tiny")
    ablations.no_local(model)
    assert not has(model, "AdjacentContext")
    step, kept = model.entropy.walk.slices[1], plain.entropy.walk.slices[1]
    before = torch.rand(1, 4, 6, 6)
    assert torch.equal(step.acgc(before), kept.acgc.globally(before))


@pytest.mark.parametrize("change", [None, ablations.nonlinear_small])
def test_small_ends_pass_a_gradient_on_that_zeros_stop(change: Callable[[S2LIC], None] | None) -> None:
    model = made(Ablation("", "", config("tiny"), change=change))
    model.g_s(model.g_a(torch.rand(1, 3, 64, 64) - 0.5)).square().sum().backward()
    firsts = (model.g_a.down[0].weight, model.g_s.up[0].weight)
    assert [bool(first.grad.any()) for first in firsts] == [change is not None] * 2


def test_what_a_change_draws_is_that_of_the_seed() -> None:
    row = Ablation("", "", config("tiny"), change=ablations.nonlinear_small)
    assert same(made(row, 1), made(row, 1))
    assert not torch.equal(made(row, 1).g_a.last.weight, made(row, 2).g_a.last.weight)


def test_a_linear_shortcut_is_orthonormal_both_ways() -> None:
    model = build("tiny")
    ablations.linear_shortcuts(model)
    mix = model.g_a.down[1].side[1]
    assert isinstance(mix, nn.Conv2d)
    weight = mix.weight.flatten(1)
    assert torch.allclose(weight @ weight.T, torch.eye(len(weight)), atol=1e-5)


@pytest.mark.parametrize("draw", [ablations.four_levels, ablations.any_levels])
def test_qualities_lie_in_the_range(draw: ablations.Levels) -> None:
    torch.manual_seed(0)
    levels = draw(6)
    assert levels.shape == (6,)
    assert 0 <= levels.min() < levels.max() <= 10_000


def test_a_trial_ends_by_the_processor_s_clock(photos: Photos, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(0, 6)  # six seconds of CPU a look
    monkeypatch.setattr(ablate, "time", SimpleNamespace(process_time=lambda: next(ticks)))
    trial = AblationRun(TINY, 0.5, photos, SIZES)
    trial.train()
    assert (trial.step, trial.minutes) == (5, 0.5)
    average = trial.average.module.state_dict()
    assert all(torch.equal(v, average[k]) for k, v in trial.model.state_dict().items())


def test_a_row_without_the_head_start_begins_at_random(photos: Photos) -> None:
    with_start, without = (AblationRun(replace(TINY, head_start=on), 1, photos, SIZES) for on in (True, False))
    for trial in (with_start, without):
        trial.batches.close()
    random = build("tiny").g_a.linear.conv.weight
    assert torch.equal(without.model.g_a.linear.conv.weight, random)
    assert not torch.equal(with_start.model.g_a.linear.conv.weight, random)


def test_the_likely_rate_is_that_of_files(folder: Path, tmp_path: Path) -> None:
    model = build("tiny")
    model.load_state_dict({k: v.half().float() for k, v in model.state_dict().items()})
    weights = tmp_path / "tiny.safetensors"
    weights.write_bytes(exported(model))
    crops = likely.middles(folder, 128)
    (point,) = likely.measure(model, crops, (50.0,)).points
    codec = Codec(weights)
    pictures = [Image.fromarray((255 * x).round().byte().permute(1, 2, 0).numpy()) for x in crops]
    sizes = [len(codec.encode(picture, 50, effort=0)) for picture in pictures]
    ideal = point.bpp * 128**2 / 8
    assert 0 < sum(sizes) / len(sizes) - ideal < 0.005 * ideal + 16 + 40


def test_the_middle_of_a_picture_is_cut(folder: Path) -> None:
    crops = likely.middles(folder, 64)
    assert torch.equal((255 * crops[1]).round(), torch.from_numpy(smooth(192, 208, 1)[64:128, 72:136]).permute(2, 0, 1))


def test_a_row_s_line_tells_its_difference_from_the_base() -> None:
    *_, loss, rate = line(TINY, outcome(0.05), outcome(0.1))
    assert (loss, rate) == ("-50.0 %", "-50.0 %")


def test_a_record_comes_back_and_its_table_goes_between_the_marks(tmp_path: Path) -> None:
    done = {"base": outcome(0.1), "adamw": outcome(0.2)}
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- ablations: begin -->\n<!-- ablations: end -->\nafter\n")
    write(done, tmp_path / "record.json", page)
    assert read(tmp_path / "record.json") == done
    before, *table, after = page.read_text().splitlines()
    assert (before, after) == ("before", "after")
    assert next(row for row in table if row.startswith("| `adamw`")).endswith("| +100.0 % | +100.0 % |")


def test_what_is_in_the_record_is_not_run_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablate, "ABLATIONS", (TINY, replace(TINY, name="other")))
    monkeypatch.setattr(ablate, "PLAN", SIZES)
    monkeypatch.setattr(ablate, "VAL_SIDE", 64)
    monkeypatch.setattr(init, "PATCHES_FROM", 4)
    record = tmp_path / "record.json"
    write({"base": outcome(0.1)}, record, None)
    ablate.main(folder, folder, 1e-4, record)
    found = json.loads(record.read_text())
    assert list(found) == ["base", "other"]
    assert AblationResult.of(found["base"]) == outcome(0.1)
    assert found["other"]["steps"] == 1
