"""Which weights ship, and the errors for a wrong name or id."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2lic.container.boxes import unpack
from s2lic.errors import RetiredModelError, UnknownConfigError, UnknownModelError, WeightsError
from s2lic.weights import manifest
from tests.frozen import codec, picture


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another folder of weights, with one row, and one of a set before it."""
    row = {"config": "one", "file": "one.safetensors", "sha256": "ab" * 32, "training": {"steps": 5}}
    (tmp_path / "manifest.json").write_text(json.dumps([row]))
    old = {"config": "one", "model_id": "ef" * 8, "version": "0.0.9", "commit": "12" * 20}
    (tmp_path / "retired.json").write_text(json.dumps([old]))
    monkeypatch.setattr(manifest, "FOLDER", tmp_path)
    return tmp_path


def test_a_row_is_found_by_name_and_by_id(folder: Path) -> None:
    row = manifest.by_config("one")
    assert manifest.by_id(bytes.fromhex("ab" * 8)) == row
    assert row.path == folder / "one.safetensors"
    assert row.training == {"steps": 5}


def test_the_visual_set_of_a_model_comes_first(folder: Path) -> None:
    rows = [{"config": name, "file": f"{name}.st", "sha256": "ab" * 32} for name in ("one", "one+tune=visual", "two")]
    (folder / "manifest.json").write_text(json.dumps(rows))
    found = [manifest.by_config(*words) for words in (("one",), ("one", "visual"), ("one", "psnr"), ("two",))]
    assert [(row.model, row.tune) for row in found] == [
        ("one", "visual"),
        ("one", "visual"),
        ("one", "psnr"),
        ("two", "psnr"),
    ]
    with pytest.raises(UnknownConfigError, match="no weights ship for 'two' tuned for visual; there are one"):
        manifest.by_config("two", "visual")


def test_an_unknown_name_lists_what_ships(folder: Path) -> None:
    with pytest.raises(UnknownConfigError, match=r"there are one \(psnr\)"):
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


def test_a_retired_id_is_told_with_the_release_that_reads_it(folder: Path) -> None:
    with pytest.raises(RetiredModelError, match=f"{'ef' * 8}.*'one'.* 0.0.9 at commit {'12' * 20}.*--model"):
        manifest.by_id(b"\xef" * 8)


def test_a_file_of_a_retired_model_is_refused_with_the_release_that_reads_it(folder: Path) -> None:
    data = codec().encode(picture("shapes"), 30)
    old = {"config": "tiny", "model_id": codec().weights.model_id.hex(), "version": "0.0.9", "commit": "12" * 20}
    (folder / "retired.json").write_text(json.dumps([old]))
    weights, codec()._by_id = codec()._by_id, {}
    try:
        with pytest.raises(RetiredModelError, match=f"{old['model_id']}.*0.0.9"):
            codec().decode(data)
    finally:
        codec()._by_id = weights


@pytest.mark.parametrize("name", ["manifest.json", "retired.json"])
@pytest.mark.parametrize("text", ["", "{", '[{"name": 1}]', "[3]", "5", None])
def test_a_damaged_or_missing_table_says_so(folder: Path, name: str, text: str | None) -> None:
    (folder / name).unlink()
    if text is not None:
        (folder / name).write_text(text)
    with pytest.raises(WeightsError, match=f"{name}.*reinstall"):
        manifest.by_id(bytes(8))
