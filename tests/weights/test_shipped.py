"""What ships: every row of the manifest has its file, its hash, its model card and a model that loads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from s2lic.errors import UnknownConfigError, UnknownModelError, WeightsError
from s2lic.weights import manifest
from s2lic.weights.store import load

MIB = 2**20


def test_each_row_has_its_file_its_hash_and_its_card() -> None:
    assert manifest.rows()
    for row in manifest.rows():
        assert hashlib.sha256(row.path.read_bytes()).hexdigest() == row.sha256
        assert row.path.with_suffix(".md").is_file()
        assert row.path.stat().st_size <= 20 * MIB
        assert row.training


def test_each_set_loads_as_the_configuration_that_it_names() -> None:
    for row in manifest.rows():
        weights = load(row.path)
        assert weights.model.row.name == row.config
        assert weights.model_id == row.model_id


def test_the_default_model_ships() -> None:
    assert manifest.by_config(manifest.DEFAULT_MODEL) in manifest.rows()


def test_a_set_is_found_by_its_id_and_no_other_is() -> None:
    row = manifest.by_config(manifest.DEFAULT_MODEL)
    assert manifest.by_id(row.model_id) == row
    with pytest.raises(UnknownModelError, match="0000000000000000"):
        manifest.by_id(bytes(8))


def test_a_configuration_without_weights_is_told_with_those_that_have() -> None:
    with pytest.raises(UnknownConfigError, match=manifest.DEFAULT_MODEL):
        manifest.by_config("base")


def test_a_damaged_manifest_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "FOLDER", tmp_path)
    for content in ("", "[1]", json.dumps([{"config": "nano", "size": 3}])):
        (tmp_path / "manifest.json").write_text(content)
        with pytest.raises(WeightsError, match="reinstall"):
            manifest.rows()


@pytest.mark.parametrize("cut", [0, 7, 100, 5000])
def test_a_cut_weights_file_is_named(tmp_path: Path, cut: int) -> None:
    whole = manifest.by_config(manifest.DEFAULT_MODEL).path.read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(whole[:cut])
    with pytest.raises(WeightsError, match=r"cut\.safetensors"):
        load(path)
