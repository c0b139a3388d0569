"""Which weights ship, and how a wrong name or id is told."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from s2lic.bitstream import unpack
from s2lic.errors import UnknownConfigError, UnknownModelError, WeightsError
from s2lic.weights import manifest
from s2lic.weights.store import load
from tests.frozen import codec, picture


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another folder of weights, with one row."""
    row = {"config": "one", "file": "one.safetensors", "sha256": "ab" * 32, "training": {"steps": 5}}
    (tmp_path / "manifest.json").write_text(json.dumps([row]))
    monkeypatch.setattr(manifest, "FOLDER", tmp_path)
    return tmp_path


def test_every_set_that_ships_is_the_file_in_its_row() -> None:
    for row in manifest.rows():
        assert hashlib.sha256(row.path.read_bytes()).hexdigest() == row.sha256
        weights = load(row.path)
        assert (weights.model.row.name, weights.model_id) == (row.config, row.model_id)


def test_the_default_model_ships() -> None:
    assert manifest.by_config(manifest.DEFAULT_MODEL).path.is_file()


def test_a_row_is_found_by_name_and_by_id(folder: Path) -> None:
    row = manifest.by_config("one")
    assert manifest.by_id(bytes.fromhex("ab" * 8)) == row
    assert row.path == folder / "one.safetensors"
    assert row.training == {"steps": 5}


def test_an_unknown_name_lists_what_ships(folder: Path) -> None:
    with pytest.raises(UnknownConfigError, match="there are one"):
        manifest.by_config("two")


def test_an_unknown_id_is_told_with_the_mend(folder: Path) -> None:
    with pytest.raises(UnknownModelError, match=f"{'cd' * 8}.*--model"):
        manifest.by_id(b"\xcd" * 8)


def test_a_file_of_an_unknown_model_is_refused(folder: Path) -> None:
    data = codec().encode(picture("shapes"), 30)
    weights, codec()._by_id = codec()._by_id, {}
    try:
        with pytest.raises(UnknownModelError, match=unpack(data).header.model_id.hex()):
            codec().decode(data)
    finally:
        codec()._by_id = weights


@pytest.mark.parametrize("text", ["", "{", '[{"name": 1}]', "[3]", "5"])
def test_a_damaged_manifest_says_so(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    with pytest.raises(WeightsError, match="reinstall"):
        manifest.rows()


def test_a_missing_manifest_says_so(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    with pytest.raises(WeightsError, match="reinstall"):
        manifest.rows()
