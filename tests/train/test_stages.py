"""Adapters learn beside a frozen codec, of which not a bit may change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from s2lic.codec import Codec
from s2lic.container.boxes import unpack
from s2lic.errors import UsageError, WeightsError
from s2lic.train import init
from s2lic.train.data import Photos
from s2lic.train.export import export_checkpoint
from s2lic.train.loop import Run
from s2lic.train.plan import Plan
from s2lic.train.stages import PART
from tests.frozen import MODEL, codec, picture

Begin = Callable[..., Run]


@pytest.fixture
def begin(photos: Photos, quick_start: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Adapters of the frozen model."""
    monkeypatch.setattr(init, "FIT_STEPS", 2)
    monkeypatch.setattr(init, "FIT_BATCHES", 1)
    runs: list[Run] = []
    plan = Plan("tiny+wrap=p_adapter", tmp_path / "run", steps=100, batch=2, crop=64, optimiser="adamw", bf16=False,
                stage="adapter", init=MODEL)  # fmt: skip

    def start(**changes: Any) -> Run:
        runs.append(Run(replace(plan, **changes), photos))
        return runs[-1]

    yield start
    for run in runs:
        run.batches.close()


def exported(run: Run, path: Path) -> Path:
    run.save()
    export_checkpoint(run.path, path, [])
    return path


def test_only_adapters_move_and_the_codec_is_written_as_it_was_read(begin: Begin, tmp_path: Path) -> None:
    run = begin()
    start = {name: value.clone() for name, value in run.model.state_dict().items()}
    for _ in range(3):
        run.advance(1e-2)
    moved = {name for name, value in run.model.state_dict().items() if not torch.equal(value, start[name])}
    assert moved == {name for name in start if PART in name}

    base, own = load_file(MODEL), load_file(exported(run, tmp_path / "own.safetensors"))
    assert all(torch.equal(own[name], value) and own[name].dtype == value.dtype for name, value in base.items())
    assert {name for name in own if name not in base} == moved


def test_a_run_that_goes_on_keeps_the_codec_too(begin: Begin, tmp_path: Path) -> None:
    first = begin()
    first.advance(1e-2)
    first.save()
    second = begin(init=None)
    second.advance(1e-2)
    base, own = load_file(MODEL), load_file(exported(second, tmp_path / "own.safetensors"))
    assert all(torch.equal(own[name], value) for name, value in base.items())


def test_untuned_adapters_code_the_same_bits_and_tuned_ones_others(begin: Begin, tmp_path: Path) -> None:
    image, run = picture("portrait", size=(64, 48)), begin()
    untuned = Codec(exported(run, tmp_path / "untuned.safetensors"), precision="float32")
    data, plain = untuned.encode(image, 60), codec().encode(image, 60)
    assert unpack(data).payload == unpack(plain).payload
    assert unpack(data).header.model_id != unpack(plain).header.model_id
    assert untuned.decode(data).tobytes() == codec().decode(plain).tobytes()

    for _ in range(3):
        run.advance(1e-2)
    tuned = Codec(exported(run, tmp_path / "tuned.safetensors"))
    assert unpack(tuned.encode(image, 60)).payload != unpack(plain).payload
    assert tuned.decode(tuned.encode(image, 60)).size == image.size


def test_what_learns_is_as_much_as_the_formula_says(begin: Begin) -> None:
    """Of tiny: two blocks of 8 channels at stride 8 with 2 heads, one at stride 4 with 1, in g_a and in g_s."""

    def count(hidden: int) -> int:
        return 3 * 8 * hidden + 2 * hidden + 8 + 2

    learning = sum(p.numel() for p in begin().model.parameters() if p.requires_grad)
    assert learning == 2 * (2 * count(2) + count(1))


def test_a_file_of_another_codec_is_refused(begin: Begin) -> None:
    with pytest.raises(WeightsError, match=r"does not hold 'tiny\+block=.*' without its adapters; it differs in"):
        begin(config="tiny+block=halo,halo,halo+wrap=p_adapter")


def test_without_a_codec_there_is_nothing_to_adapt(begin: Begin) -> None:
    with pytest.raises(UsageError, match="--init"):
        begin(init=None)
