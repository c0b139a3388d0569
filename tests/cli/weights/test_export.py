"""`s2lic weights export`: a training's averaged weights as a file that was checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from s2lic.model import build
from s2lic.train import checkpoint
from s2lic.train.checkpoint import slim, write_parts
from s2lic.weights.store import load
from tests.cli.conftest import Result
from tests.frozen import MODEL

Run = Callable[..., Result]
AVERAGE = build("tiny", seed=1).state_dict()


PICTURES = ("--data", str(MODEL.parents[1] / "pictures"), "--crop", "64")


def saved(config: str, average: dict[str, Tensor]) -> Path:
    """A checkpoint whose average is another model than the one that was training."""
    checkpoint.save(Path("last.pt"), {"config": config, "model": build("tiny").state_dict(), "average": average})
    return Path("last.pt")


def test_the_average_becomes_a_file_that_says_what_it_is(run: Run) -> None:
    facts = json.loads(
        run("weights", "export", saved("tiny", AVERAGE), *PICTURES, "-o", "own.safetensors", "--json").out
    )
    path = Path("own.safetensors")
    model = load(path).model
    assert facts["model_id"] == hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert (facts["config"], facts["standing"], facts["bytes"]) == ("tiny", "not one that ships", path.stat().st_size)
    for name, weight in model.g_s.state_dict().items():
        assert torch.equal(weight, AVERAGE[f"g_s.{name}"].half().float()), name


def test_parts_of_slices_give_the_file_that_the_checkpoint_gives(run: Run) -> None:
    source = saved("tiny", AVERAGE)
    write_parts(slim(checkpoint.load(source)), Path("parts"), 100_000)
    for name, words in (("whole", source), ("parts", "parts")):
        assert run("weights", "export", words, *PICTURES, "-o", f"{name}.safetensors").code == 0
    assert Path("parts.safetensors").read_bytes() == Path("whole.safetensors").read_bytes()


def test_parts_that_name_no_configuration_are_told_and_nothing_is_written(run: Run) -> None:
    write_parts({"average": AVERAGE}, Path("parts"), 100_000)
    result = run("weights", "export", "parts", *PICTURES, "-o", "own.safetensors")
    assert result.code == 1
    assert result.err.startswith("s2lic: the parts in parts name no configuration")
    assert not Path("own.safetensors").exists()


def test_the_folder_of_a_run_stands_for_its_checkpoint(run: Run) -> None:
    saved("tiny", AVERAGE)
    for name, words in (("file", "last.pt"), ("folder", ".")):
        assert run("weights", "export", words, *PICTURES, "-o", f"{name}.safetensors").code == 0
    assert Path("folder.safetensors").read_bytes() == Path("file.safetensors").read_bytes()


def test_one_line_says_what_was_written(run: Run) -> None:
    result = run("weights", "export", saved("tiny", AVERAGE), *PICTURES, "-o", "own.safetensors")
    assert (result.code, result.out) == (0, b"")
    assert result.err.startswith("own.safetensors: valid; tiny, model ")


def test_a_file_that_is_there_is_kept_unless_forced(run: Run) -> None:
    words = ("weights", "export", saved("tiny", AVERAGE), *PICTURES, "-o", "own.safetensors")
    Path("own.safetensors").write_bytes(b"mine")
    assert run(*words).code == 2
    assert Path("own.safetensors").read_bytes() == b"mine"
    assert run(*words, "--force").code == 0


def test_without_pictures_it_is_the_callers_fault(run: Run) -> None:
    result = run("weights", "export", saved("tiny", AVERAGE), "-o", "own.safetensors")
    assert result.code == 2
    assert "give a folder with --data" in result.err
    assert not Path("own.safetensors").exists()


def test_a_checkpoint_that_is_not_there_is_the_callers_fault(run: Run) -> None:
    result = run("weights", "export", "nowhere.pt", *PICTURES, "-o", "own.safetensors")
    assert result.code == 2
    assert "nowhere.pt" in result.err


@pytest.mark.parametrize(
    ("config", "average"),
    [
        ("nano", AVERAGE),
        ("huge", AVERAGE),
        ("tiny+block=gone", AVERAGE),
        ("tiny+gate=swinv2", AVERAGE),
        ("tiny", {**AVERAGE, "g_a.more": torch.zeros(1)}),
    ],
    ids=["another", "unknown", "block gone", "no gate any more", "older"],
)
def test_a_checkpoint_that_fits_no_configuration_is_told_and_nothing_is_written(
    run: Run, config: str, average: dict[str, Tensor]
) -> None:
    result = run("weights", "export", saved(config, average), *PICTURES, "-o", "own.safetensors")
    assert result.code == 1
    assert f"last.pt does not fit the configuration '{config}'" in result.err
    assert not Path("own.safetensors").exists()


def test_a_damaged_checkpoint_is_told_and_nothing_is_written(run: Run) -> None:
    Path("last.pt").write_bytes(b"no checkpoint")
    result = run("weights", "export", "last.pt", *PICTURES, "-o", "own.safetensors")
    assert result.code == 1
    assert (
        result.err == "s2lic: last.pt cannot be read as a checkpoint: it is damaged, or no last.pt of a training run\n"
    )
    assert not Path("own.safetensors").exists()
