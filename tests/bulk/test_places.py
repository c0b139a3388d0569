from __future__ import annotations

from pathlib import Path

import pytest

from s2lic.bulk.places import Place, open_place, open_source
from s2lic.errors import ExtraMissingError, InputMissingError, OutputUnwritableError, UsageError


@pytest.fixture(params=["local", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return open_place(str(tmp_path / "dest") if request.param == "local" else f"memory://{tmp_path.name}/dest")


def test_a_written_file_is_listed_and_read(place: Place) -> None:
    place.put("a/b.bin", b"one")
    place.put("a/b.bin", b"two")
    assert (place.names(), place.read("a/b.bin")) == (["a/b.bin"], b"two")


def test_a_part_appears_when_its_block_ends(place: Place) -> None:
    with place.writer("part.tar") as file:
        file.write(b"data")
        assert place.names() == []
    assert place.read("part.tar") == b"data"


def test_a_part_that_fails_leaves_nothing(place: Place) -> None:
    def fail() -> None:
        with place.writer("part.tar") as file:
            file.write(b"data")
            raise OSError("no more")

    with pytest.raises(OutputUnwritableError, match="no more"):
        fail()
    assert place.fs.find(place.root) == []


def test_hidden_files_are_left_out(place: Place) -> None:
    place.put("a/b.bin", b"")
    place.put(".x.part", b"")
    place.put(".git/c.bin", b"")
    assert place.names() == ["a/b.bin"]


def test_a_folder_that_is_not_there_has_no_files(place: Place) -> None:
    assert place.names() == []
    with pytest.raises(InputMissingError, match="cannot read"):
        place.read("a")


def test_a_source_is_a_folder_or_a_file(place: Place) -> None:
    place.put("a/b.bin", b"data")
    folder, names = open_source(place.url)
    assert (folder.read(names[0]), names) == (b"data", ["a/b.bin"])
    folder, names = open_source(f"{place.url}/a/b.bin")
    assert (folder.read(names[0]), names) == (b"data", ["b.bin"])


def test_an_empty_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="there are no files"):
        open_source(str(tmp_path))


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(UsageError, match="is no URL"):
        open_place("nonsense://a")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str) -> None:
        raise ImportError("Install gcsfs")

    monkeypatch.setattr("fsspec.core.url_to_fs", refuse)
    with pytest.raises(ExtraMissingError, match="gcsfs"):
        open_place("gs://bucket")
