"""Checkpoints that travel: half the bits, cut into parts, whole or refused."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from s2lic.errors import OutputPlaceError, OutputUnwritableError, WeightsError
from s2lic.train.slim import INDEX, read_parts, slim, widen, write_parts


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
    with pytest.raises(WeightsError, match=r"damaged|no whole checkpoint"):
        read_parts(tmp_path)
