"""`s2lic weights fit`: what it writes, and what it refuses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tests.frozen import MODEL, picture

Run = Callable[..., Result]
FIT = ("weights", "fit", MODEL, "--data", "photos", "-o", "own.safetensors", "--crop", 64, "--crops", 2)


@pytest.fixture(autouse=True)
def photos(run: Run) -> None:
    Path("photos").mkdir()
    picture("portrait").save("photos/portrait.png")


def test_the_file_is_written_and_told(run: Run) -> None:
    facts = json.loads(run(*FIT, "--json").out)
    assert facts["model_id"] == hashlib.sha256(Path("own.safetensors").read_bytes()).hexdigest()[:16]
    assert (facts["config"], facts["standing"]) == ("tiny", "not one that ships")


def test_a_file_that_is_there_is_kept_unless_forced(run: Run) -> None:
    Path("own.safetensors").write_bytes(b"mine")
    assert run(*FIT).code == 2
    assert Path("own.safetensors").read_bytes() == b"mine"
    assert run(*FIT, "--force").code == 0


def test_a_file_is_not_fitted_onto_itself(run: Run) -> None:
    Path("base.safetensors").write_bytes(b"mine")
    Path("link.safetensors").symlink_to("base.safetensors")
    result = run("weights", "fit", "base.safetensors", "--data", "photos", "-o", "link.safetensors", "--force")
    assert result.code == 2
    assert "is an input itself" in result.err
    assert Path("base.safetensors").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "-"), "NAME.safetensors"),
        (("--crop", 100), "multiple of 64"),
        (("--data", "nowhere"), "nowhere"),
        (("--crop", 2048), "2048 pixels"),
    ],
)
def test_what_cannot_be_done_is_the_callers_fault(run: Run, words: tuple[str, object], message: str) -> None:
    result = run(*FIT, *words)
    assert result.code == 2
    assert message in result.err
    assert not Path("own.safetensors").exists()
