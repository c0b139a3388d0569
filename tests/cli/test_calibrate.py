"""`s2lic calibrate`, with the frozen model and one small picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.frozen import MODEL, picture

from .conftest import Result

Run = Callable[..., Result]


def test_the_result_is_a_model_that_is_no_worse(run: Run) -> None:
    Path("photos").mkdir()
    picture("portrait", size=(48, 32)).save("photos/one.png")
    facts = json.loads(run("calibrate", MODEL, "--data", "photos", "-o", "act.safetensors", "--json").out)
    assert facts["after"] <= facts["before"]
    assert Path("act.safetensors").exists()


def test_a_folder_without_pictures_is_the_callers_fault(run: Run) -> None:
    Path("photos").mkdir()
    assert run("calibrate", MODEL, "--data", "photos", "-o", "act.safetensors").code == 2
