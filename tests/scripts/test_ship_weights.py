"""Shipping: the new set takes its place in the manifest and the card, and the one before it retires by name."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import s2lic
from s2lic.errors import RetiredModelError, UnknownModelError, UsageError, WeightsError
from s2lic.model import build
from s2lic.weights import manifest
from s2lic.weights.manifest import RetiredRow, WeightsRow
from s2lic.weights.store import load_shipped
from scripts import ship_weights
from scripts.model_card import BEGIN, END, table, with_facts
from scripts.ship_weights import read_facts, ship
from tests.exporting import exported
from tests.frozen import MODEL

FACTS: dict[str, Any] = {
    "training": {"minutes": 3, "steps": 40},
    "rd": {"val": None, "kodak": {"bpp_at_db": {"30": 0.3}, "bd_rate_percent": {"vtm": 12.34}}},
    "data": "none",
}
CARD = f"# Model card\n\n{BEGIN}\n{END}\n\nwords\n"


def git(folder: Path, *words: str) -> str:
    person = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *person, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path) -> str:
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "state")
    return git(folder, "rev-parse", "HEAD").strip()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights in a clone: no set yet, but a card to fill in."""
    found = tmp_path / "weights"
    found.mkdir()
    (found / "tiny.md").write_text(CARD)
    for name in (manifest.SHIPPED, manifest.RETIRED):
        (found / name).write_text("[]\n")
    git(found, "init", "-q")
    commit(found)
    monkeypatch.setattr(manifest, "FOLDER", found)
    return found


def weights(path: Path, seed: int) -> Path:
    model = build("tiny", seed)
    path.write_bytes(exported(model))
    return path


def test_a_set_that_ships_is_the_file_that_was_measured(folder: Path) -> None:
    row = ship(MODEL, FACTS)
    assert manifest.rows() == (row,)
    assert row == WeightsRow(
        "tiny", "tiny.safetensors", hashlib.sha256(MODEL.read_bytes()).hexdigest(), s2lic.__version__, **FACTS
    )
    assert row.path.read_bytes() == MODEL.read_bytes()
    assert load_shipped(row).model_id == row.model_id
    assert manifest.retired() == ()


def test_the_card_shows_the_facts_between_words_that_stay(folder: Path) -> None:
    row = ship(MODEL, FACTS)
    card = (folder / "tiny.md").read_text()
    assert card == f"# Model card\n\n{BEGIN}\n{table(row)}\n{END}\n\nwords\n"
    assert with_facts(card, row) == card
    lines = card.splitlines()
    assert "| 24 validation crops | not measured |" in lines
    assert "| Kodak | 0.3 bpp at 30 dB; BD-rate +12.3 % against vtm |" in lines


def test_the_set_before_retires_with_the_last_commit_that_ships_it(folder: Path, tmp_path: Path) -> None:
    first = ship(MODEL, FACTS)
    commit(folder)
    (folder / "note.txt").write_text("a later commit, whose code may write more into a file")
    last = commit(folder)
    second = ship(weights(tmp_path / "new.safetensors", 1), FACTS)
    old = RetiredRow("tiny", first.model_id.hex(), s2lic.__version__, last)
    assert manifest.rows() == (second,)
    assert manifest.retired() == (old,)
    with pytest.raises(RetiredModelError, match=f"{first.model_id.hex()}.*'tiny'.*{s2lic.__version__}.*{last}"):
        manifest.by_id(first.model_id)


def test_a_set_that_was_never_committed_does_not_retire(folder: Path, tmp_path: Path) -> None:
    first = ship(MODEL, FACTS)
    commit(folder)
    never = ship(weights(tmp_path / "a.safetensors", 1), FACTS)
    ship(weights(tmp_path / "b.safetensors", 2), FACTS)
    assert [row.model_id for row in manifest.retired()] == [first.model_id.hex()]
    with pytest.raises(UnknownModelError) as found:
        manifest.by_id(never.model_id)
    assert not isinstance(found.value, RetiredModelError)


def test_a_set_that_ships_again_is_retired_no_more(folder: Path, tmp_path: Path) -> None:
    first = ship(MODEL, FACTS)
    commit(folder)
    second = ship(weights(tmp_path / "new.safetensors", 1), FACTS)
    commit(folder)
    assert ship(MODEL, FACTS) == first
    assert [row.model_id for row in manifest.retired()] == [second.model_id.hex()]
    assert manifest.by_id(first.model_id) == first


def test_the_same_set_again_changes_its_facts_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ship(MODEL, FACTS)
    commit(folder)
    monkeypatch.setattr(s2lic, "__version__", "99")
    row = ship(MODEL, {**FACTS, "data": "some"})
    assert manifest.rows() == (row,) == (replace(first, data="some"),)
    assert manifest.retired() == ()


def test_without_a_clone_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setattr(manifest, "FOLDER", tmp_path)
    (tmp_path / "tiny.md").write_text(CARD)
    for name in (manifest.SHIPPED, manifest.RETIRED):
        (tmp_path / name).write_text("[]\n")
    with pytest.raises(UsageError, match="needs a clone"):
        ship(MODEL, FACTS)
    assert not (tmp_path / "tiny.safetensors").exists()
    assert (tmp_path / "tiny.md").read_text() == CARD


def test_a_card_without_a_place_for_the_table_is_told_and_nothing_is_written(folder: Path) -> None:
    (folder / "tiny.md").write_text("# Model card\n")
    with pytest.raises(UsageError, match="facts: begin"):
        ship(MODEL, FACTS)
    assert manifest.rows() == ()


def test_a_set_that_is_too_large_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ship_weights, "MAX_BYTES", MODEL.stat().st_size - 1)
    with pytest.raises(WeightsError, match="at most"):
        ship(MODEL, FACTS)
    assert manifest.rows() == ()


def test_facts_are_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(FACTS))
    assert read_facts(path) == FACTS


@pytest.mark.parametrize(
    "change",
    [
        {"training": {"minutes": 3}},
        {"training": 3},
        {"rd": {"val": None}},
        {"rd": {"val": 3, "kodak": None}},
        {"rd": {"val": {"bpp_at_db": {}}, "kodak": None}},
        {"data": ""},
        {"more": 1},
    ],
    ids=str,
)
def test_facts_that_are_not_whole_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({**FACTS, **change}))
    with pytest.raises(UsageError, match="facts"):
        read_facts(path)
