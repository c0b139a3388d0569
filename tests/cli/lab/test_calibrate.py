"""`s2lic lab calibrate`, with the frozen model and one small picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from s2lic.coding.networks import Networks
from s2lic.lab.calibrate import Head, heads_of
from s2lic.model import S2LIC, build
from s2lic.weights.store import load
from tests.cli.conftest import Result
from tests.frozen import MODEL, picture

Run = Callable[..., Result]


def chosen(model: S2LIC) -> list[Head]:
    """The heads that `act` acts on."""
    return [(name, head) for name, head in heads_of(model) if model.get_submodule(name).chosen[head] > 0]  # type: ignore[index,operator]


def test_the_heads_that_lower_the_cost_are_chosen_in_the_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    good = heads_of(build("tiny+wrap=act"))[1::2]

    def cost(networks: Networks, pictures: list[Image.Image], level: int) -> float:
        assert [image.size for image in pictures] == [(48, 32)]
        assert level == 2500
        on = set(chosen(networks.weights.model))
        return 2.0 - 0.125 * len(on & set(good)) + 0.5 * len(on - set(good))

    monkeypatch.setattr("s2lic.lab.calibrate.rd_cost", cost)
    Path("photos").mkdir()
    picture("portrait", size=(48, 32)).save("photos/one.png")
    facts = json.loads(
        run("lab", "calibrate", MODEL, "--data", "photos", "-o", "act.safetensors", "-q", 25, "--json").out
    )
    assert facts == {"kept": [list(head) for head in good], "before": 2.0, "after": 2.0 - 0.125 * len(good)}
    assert chosen(load(Path("act.safetensors")).model) == good


def test_a_folder_without_pictures_is_the_callers_fault(run: Run) -> None:
    Path("photos").mkdir()
    assert run("lab", "calibrate", MODEL, "--data", "photos", "-o", "act.safetensors").code == 2


def test_quiet_leaves_the_file_alone_to_speak(run: Run) -> None:
    Path("photos").mkdir()
    picture("portrait", size=(48, 32)).save("photos/one.png")
    words = ("--data", "photos", "-o", "act.safetensors", "--quiet")
    assert run("lab", "calibrate", MODEL, *words) == Result(0, b"", "")
    assert Path("act.safetensors").exists()


def test_the_model_is_not_overwritten_by_its_calibration(run: Run) -> None:
    Path("own.safetensors").write_bytes(b"mine")
    result = run("lab", "calibrate", "own.safetensors", "--data", "photos", "-o", "./own.safetensors", "--force")
    assert result.code == 2
    assert "is an input itself" in result.err
    assert Path("own.safetensors").read_bytes() == b"mine"
