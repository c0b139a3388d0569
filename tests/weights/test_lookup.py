"""Weights are found by their id: among those that ship, on the search path, and in the folder of the user."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from s2lic.codec import Codec
from s2lic.errors import UnknownModelError, WeightsHashError
from s2lic.lite.codec import LiteCodec
from s2lic.weights import lookup, manifest
from tests.frozen import MODEL, codec, picture

DATA = MODEL.read_bytes()
MODEL_ID = hashlib.sha256(DATA).digest()[:8]


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a user, who has the frozen model in it."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "data" / "s2lic" / "weights"
    folder.mkdir(parents=True)
    (folder / f"{MODEL_ID.hex()}.safetensors").write_bytes(DATA)
    return folder


def test_a_set_in_the_folder_of_the_user_is_found(user: Path) -> None:
    assert lookup.read_by_id(MODEL_ID) == (DATA, user / f"{MODEL_ID.hex()}.safetensors")
    assert lookup.added() == {MODEL_ID.hex(): user / f"{MODEL_ID.hex()}.safetensors"}


def test_a_set_on_the_search_path_comes_before_it(user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shared").mkdir()
    shared = tmp_path / "shared" / f"{MODEL_ID.hex()}.safetensors"
    shared.write_bytes(DATA)
    monkeypatch.setenv(lookup.PATH_VARIABLE, os.pathsep.join([str(tmp_path / "missing"), "", str(shared.parent)]))
    assert lookup.read_by_id(MODEL_ID)[1] == lookup.added()[MODEL_ID.hex()] == shared


def test_files_of_other_names_are_no_sets(user: Path) -> None:
    for name in ("own", "A" * 16, "ab" * 7):
        (user / f"{name}.safetensors").write_bytes(DATA)
    assert list(lookup.added()) == [MODEL_ID.hex()]


def test_a_set_that_is_not_what_its_name_says_is_refused(user: Path) -> None:
    (user / f"{MODEL_ID.hex()}.safetensors").write_bytes(DATA[:-1])
    with pytest.raises(WeightsHashError, match=f"{MODEL_ID.hex()}.safetensors is another model"):
        lookup.read_by_id(MODEL_ID)


def test_a_set_that_ships_is_not_looked_for(user: Path) -> None:
    row = manifest.by_config("nano")
    (user / f"{row.model_id.hex()}.safetensors").write_bytes(b"no weights")
    assert lookup.read_by_id(row.model_id) == (row.path.read_bytes(), row.path)


def test_a_set_that_is_nowhere_is_told_with_the_mends() -> None:
    with pytest.raises(UnknownModelError, match=f"`s2lic weights add FILE` or `s2lic weights fetch {MODEL_ID.hex()}`"):
        lookup.read_by_id(MODEL_ID)


@pytest.mark.parametrize("other", [Codec, LiteCodec])
def test_both_runtimes_decode_files_of_an_added_set(other: type[Codec | LiteCodec], user: Path) -> None:
    data = codec().encode(picture("shapes"), 40)
    assert other().decode(data).size == picture("shapes").size


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "home/.local/share"),
        ("linux", {"XDG_DATA_HOME": "xdg"}, "xdg"),
        ("darwin", {"XDG_DATA_HOME": "xdg"}, "home/Library/Application Support"),
        ("win32", {"LOCALAPPDATA": "local"}, "local"),
        ("win32", {}, "home/AppData/Local"),
    ],
)
def test_the_folder_of_the_user_is_that_of_the_platform(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
) -> None:
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Path, "home", lambda: Path("home"))
    monkeypatch.setattr(sys, "platform", platform)
    assert lookup.user_folder() == Path(expected, "s2lic", "weights")
