"""`s2lic weights add` and `weights fetch`: what they print, and that files of the set decode afterwards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tests.frozen import MODEL

Run = Callable[..., Result]
MODEL_ID = hashlib.sha256(MODEL.read_bytes()).hexdigest()[:16]
FILE = Path(__file__).parents[2] / "golden" / "shapes-75.s2lic"


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2lic.weights.lookup.sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def test_a_file_decodes_once_its_set_was_added(run: Run) -> None:
    refused = run("decode", FILE, "-o", "out.png")
    assert refused.code == 1
    assert f"`s2lic weights fetch {MODEL_ID}`" in refused.err
    added = run("weights", "add", MODEL)
    assert (added.code, added.out) == (0, b"")
    assert added.err.endswith(f"{MODEL_ID}.safetensors: files of model {MODEL_ID} can be decoded\n")
    for runtime in ("torch", "onnx"):
        assert run("decode", FILE, "-o", f"{runtime}.png", "--runtime", runtime).code == 0


def test_the_list_has_what_was_added(run: Run) -> None:
    facts = json.loads(run("weights", "add", MODEL, "--json").out)
    assert facts["model_id"] == MODEL_ID
    assert run("weights", "list").out.decode().endswith(f"added: {MODEL_ID}, {facts['output']}\n")
    assert json.loads(run("weights", "list", "--json").out)["added"] == {MODEL_ID: facts["output"]}


@pytest.mark.parametrize("model_id", ["nano", "AB" * 8, "ab" * 7, "ab" * 9])
def test_what_is_no_id_is_the_callers_fault(run: Run, model_id: str) -> None:
    result = run("weights", "fetch", model_id, "--url", "http://127.0.0.1:9")
    assert result.code == 2
    assert "has 16 digits" in result.err


def test_without_an_address_it_is_the_callers_fault(run: Run) -> None:
    result = run("weights", "fetch", MODEL_ID)
    assert result.code == 2
    assert "S2LIC_WEIGHTS_URL" in result.err


def test_a_missing_file_is_the_callers_fault(run: Run) -> None:
    assert run("weights", "add", "nowhere.safetensors").code == 2
