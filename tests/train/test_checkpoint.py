"""Checkpoints and averaged weights."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from s2lic.errors import OutputPlaceError, OutputUnwritableError, WeightsError
from s2lic.train import checkpoint
from s2lic.train.checkpoint import EMA_DECAY, Average


def with_weight(value: float) -> nn.Linear:
    net = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(net.weight, value)
    return net


@pytest.mark.parametrize(("step", "keep"), [(0, 0.1), (8, 0.5), (98, 99 / 108), (10**6, EMA_DECAY)])
def test_an_update_keeps_a_part_that_grows_with_the_steps(step: int, keep: float) -> None:
    average = Average(with_weight(3.0))
    average.update(with_weight(7.0), step)
    expected = keep * 3 + (1 - keep) * 7
    assert average.weights["weight"].item() == pytest.approx(expected, rel=1e-12)


def test_the_average_is_a_copy() -> None:
    net = with_weight(3.0)
    average = Average(net)
    nn.init.constant_(net.weight, 9.0)
    assert average.weights["weight"].item() == 3.0


def test_what_is_saved_is_loaded_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "last.pt"
    average = {"w": torch.arange(3.0)}
    checkpoint.save(path, {"config": "tiny", "average": average, "step": 5})
    assert checkpoint.load(path)["step"] == 5
    assert torch.equal(checkpoint.load(path)["average"]["w"], average["w"])
    assert [p.name for p in path.parent.iterdir()] == ["last.pt"]


def test_a_save_that_fails_half_way_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "last.pt"
    checkpoint.save(path, {"config": "tiny", "step": 1})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputUnwritableError, match="No space left"):
        checkpoint.save(path, {"config": "tiny", "step": 2})
    assert checkpoint.load(path)["step"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_where_no_folder_can_be_is_an_error_by_name(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(b"mine")
    with pytest.raises(OutputPlaceError, match="a file is in its way"):
        checkpoint.save(tmp_path / "run" / "last.pt", {"config": "tiny"})
    assert (tmp_path / "run").read_bytes() == b"mine"


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"config": "nano"})
    with pytest.raises(WeightsError, match=r"'nano', not 'small'.*--out"):
        checkpoint.load(path, "small")


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut off"])
def test_a_damaged_checkpoint_is_an_error_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "last.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read as a checkpoint"):
        checkpoint.load(path)
