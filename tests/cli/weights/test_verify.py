"""`s2lic weights verify`: a whole file is described, a damaged one ends in a named error and exit code 1."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from s2lic.weights import manifest
from s2lic.weights.manifest import RetiredRow
from tests.cli.conftest import Result
from tests.frozen import MODEL

Run = Callable[..., Result]
SHA256 = hashlib.sha256(MODEL.read_bytes()).hexdigest()


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The frozen model as all that ships, in a folder of its own."""
    folder = tmp_path / "package"
    folder.mkdir()
    shutil.copy(MODEL, folder)
    row = {"config": "tiny", "file": MODEL.name, "sha256": SHA256}
    (folder / manifest.SHIPPED).write_text(json.dumps([row]))
    (folder / manifest.RETIRED).write_text("[]")
    monkeypatch.setattr(manifest, "FOLDER", folder)
    return folder / MODEL.name


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_without_a_name_what_ships_is_verified(run: Run, shipped: Path) -> None:
    result = run("weights", "verify")
    assert result.code == 0
    assert result.out.decode().startswith(
        f"{shipped}: valid; tiny, model {SHA256[:16]}, {MODEL.stat().st_size} bytes, "
    )
    assert result.out.decode().endswith(" parameters, ships with this release\n")
    assert run("weights", "verify", "--quiet") == Result(0, b"", "")


def test_a_flipped_bit_in_what_ships_is_told_by_its_hash(run: Run, shipped: Path) -> None:
    flip(shipped, -1)
    assert json.loads(run("weights", "verify", "--json").out)["error"] == "WeightsHashError"
    result = run("weights", "verify")
    assert (result.code, result.out) == (1, b"")
    assert "reinstall" in result.err


def test_a_missing_file_of_what_ships_exits_with_1(run: Run, shipped: Path) -> None:
    shipped.unlink()
    result = run("weights", "verify")
    assert result.code == 1
    assert "tiny.safetensors cannot be read as weights" in result.err


@pytest.mark.parametrize("place", [0, 8, 20], ids=["length", "brace", "header"])
def test_a_damaged_file_of_ones_own_is_told(run: Run, shipped: Path, place: int) -> None:
    shutil.copy(MODEL, "own.safetensors")
    flip(Path("own.safetensors"), place)
    result = run("weights", "verify", "own.safetensors", "--json")
    assert result.code == 1
    assert json.loads(result.out)["error"] == "WeightsError"


def test_the_others_of_a_folder_are_verified_after_one_that_fails(run: Run, shipped: Path) -> None:
    Path("many").mkdir()
    shutil.copy(MODEL, "many/b.safetensors")
    Path("many/a.safetensors").write_bytes(MODEL.read_bytes()[:1000])
    Path("many/notes.txt").write_text("none")
    result = run("weights", "verify", "many")
    assert result.code == 1
    assert result.err.startswith("s2lic: many/a.safetensors cannot be read as weights")
    assert result.out.startswith(b"many/b.safetensors: valid")


def test_a_file_that_is_not_there_is_the_callers_fault(run: Run, shipped: Path) -> None:
    result = run("weights", "verify", "nowhere.safetensors")
    assert result.code == 2
    assert "nowhere.safetensors" in result.err


def test_a_file_says_whether_it_ships_shipped_once_or_never(run: Run, shipped: Path) -> None:
    def standing() -> str:
        return str(json.loads(run("weights", "verify", MODEL, "--json").out)["standing"])

    assert standing() == "ships with this release"
    (shipped.parent / manifest.SHIPPED).write_text("[]")
    assert standing() == "not one that ships"
    old = {"config": "tiny", "model_id": SHA256[:16], "version": "0.0.9", "commit": "12" * 20}
    (shipped.parent / manifest.RETIRED).write_text(json.dumps([old]))
    assert standing() == str(RetiredRow(**old))
