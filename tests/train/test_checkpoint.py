"""Checkpoints and averaged weights."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from s2lic.errors import OutputPlaceError, OutputUnwritableError, WeightsError
from s2lic.train import checkpoint
from s2lic.train.checkpoint import EMA_DECAY, INDEX, averaged, read_parts, resume_average, slim, widen, write_parts


def with_weight(value: float) -> nn.Linear:
    net = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(net.weight, value)
    return net


@pytest.mark.parametrize(("updates", "keep"), [(0, 0), (7, 0.5), (97, 99 / 108), (10**6, EMA_DECAY)])
def test_an_update_keeps_a_part_that_grows_with_the_updates(updates: int, keep: float) -> None:
    average = averaged(with_weight(0.0))
    resume_average(average, with_weight(3.0).state_dict(), updates)
    average.update_parameters(with_weight(7.0))
    expected = keep * 3 + (1 - keep) * 7
    assert average.module.weight.item() == pytest.approx(expected, rel=1e-12)


def test_buffers_are_averaged_and_indices_stay() -> None:
    nets = [with_weight(1.0), with_weight(1.0)]
    for net, value in zip(nets, (2.0, 6.0), strict=True):
        net.register_buffer("centre", torch.tensor([value]))
        net.register_buffer("index", torch.tensor([3]), persistent=False)
    average = averaged(nets[0])
    average.n_averaged.fill_(7)
    average.update_parameters(nets[1])
    assert (average.module.centre.item(), average.module.index.item()) == (4.0, 3)


def test_the_average_is_a_copy() -> None:
    net = with_weight(3.0)
    average = averaged(net)
    nn.init.constant_(net.weight, 9.0)
    assert average.module.weight.item() == 3.0


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


def state() -> dict[str, Any]:
    torch.manual_seed(0)
    return {
        "model": {"w": torch.randn(50, 40)},
        "average": {"w": torch.randn(50, 40)},
        "optimiser": {"soap": {"state": {0: {"GG": [torch.randn(40, 40), []], "step": torch.tensor(3.0)}}}},
        "step": 7,
        "config": "tiny",
    }


def test_weights_stay_exact_and_an_optimisers_state_keeps_eight_bits_of_precision() -> None:
    before, after = state(), widen(slim(state()))
    for exact in ("model", "average"):
        assert torch.equal(after[exact]["w"], before[exact]["w"])
    old, new = (s["optimiser"]["soap"]["state"][0] for s in (before, after))
    torch.testing.assert_close(new["GG"][0], old["GG"][0], rtol=2**-8, atol=0)
    assert not torch.equal(new["GG"][0], old["GG"][0])
    assert (new["GG"][1], new["step"].item(), after["step"]) == ([], 3.0, 7)


def test_parts_are_no_larger_than_asked_and_read_back_whole(tmp_path: Path) -> None:
    parts = write_parts(state(), tmp_path, 4000)
    assert len(parts) > 2
    assert all(part.stat().st_size <= 4000 for part in parts)
    assert torch.equal(read_parts(tmp_path)["model"]["w"], state()["model"]["w"])


def test_newer_parts_take_the_place_of_older_ones(tmp_path: Path) -> None:
    write_parts(state(), tmp_path, 2000)
    parts = write_parts({**state(), "step": 8}, tmp_path, 8000)
    assert read_parts(tmp_path)["step"] == 8
    assert sorted(tmp_path.iterdir()) == sorted([*parts, tmp_path / INDEX])


def test_a_file_where_the_folder_should_be_is_an_error_by_name(tmp_path: Path) -> None:
    (tmp_path / "parts").write_bytes(b"mine")
    with pytest.raises(OutputPlaceError, match="a file is in its way"):
        write_parts(state(), tmp_path / "parts", 4000)


def test_a_full_disk_leaves_the_older_parts_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_parts(state(), tmp_path, 4000)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputUnwritableError, match="free some space"):
        write_parts({**state(), "step": 8}, tmp_path, 4000)
    assert read_parts(tmp_path)["step"] == 7


@pytest.mark.parametrize("harm", ["missing", "damaged", "no index"])
def test_parts_that_are_not_whole_are_refused(tmp_path: Path, harm: str) -> None:
    part = write_parts(state(), tmp_path, 4000)[1]
    if harm == "damaged":
        part.write_bytes(bytes(4000))
    else:
        (part if harm == "missing" else tmp_path / INDEX).unlink()
    with pytest.raises(WeightsError, match=r"damaged|neither last.pt nor all parts"):
        read_parts(tmp_path)
