from __future__ import annotations

from pathlib import Path

import pytest

from s2lic.bulk.job import BulkJob
from s2lic.bulk.plan import BulkPlan, plan
from s2lic.coding.options import DecodeOptions, EncodeOptions
from s2lic.errors import InputMissingError, OptionsChangedError, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("source/a.png", "source/in/b.jpg", "source/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def planned(
    folder: Path, to: str | None = None, per_part: int = 1000, force: bool = False, quality: float = 50
) -> BulkPlan:
    job = BulkJob(EncodeOptions(quality=quality))
    return plan(job, to, str(folder / "source"), str(folder / "dest"), per_part, force)


def test_a_folder_keeps_its_layout(folder: Path) -> None:
    assert [(*task.sources, task.target) for task in planned(folder).tasks] == [
        ("a.png", "a.s2lic"),
        ("in/b.jpg", "in/b.s2lic"),
    ]


def test_files_become_numbered_parts(folder: Path) -> None:
    tasks = planned(folder, "shards", per_part=1).tasks
    assert [(*task.sources, task.target) for task in tasks] == [
        ("a.png", "part-000000.tar"),
        ("in/b.jpg", "part-000001.tar"),
    ]


def test_finished_outputs_are_left_out_unless_forced(folder: Path) -> None:
    planned(folder)
    (folder / "dest" / "a.s2lic").touch()
    found = planned(folder)
    assert ([task.target for task in found.tasks], found.skipped) == (["in/b.s2lic"], 1)
    assert planned(folder, force=True).skipped == 0


def test_other_options_do_not_go_on(folder: Path) -> None:
    planned(folder)
    with pytest.raises(OptionsChangedError, match="begun with other options"):
        planned(folder, quality=60)
    planned(folder, quality=60, force=True)
    planned(folder, quality=60)


def test_other_inputs_of_numbered_parts_do_not_go_on(folder: Path) -> None:
    planned(folder, "parquet")
    (folder / "source" / "aa.png").touch()
    with pytest.raises(OptionsChangedError):
        planned(folder, "parquet")


def test_two_pictures_for_one_output_are_refused(folder: Path) -> None:
    (folder / "source" / "a.jpg").touch()
    with pytest.raises(UsageError, match=r"a\.jpg and a\.png would both become a\.s2lic"):
        planned(folder)


def test_parts_keep_their_kind(folder: Path) -> None:
    (folder / "source" / "x.tar").touch()
    assert [task.target for task in planned(folder).tasks] == ["x.tar"]
    with pytest.raises(UsageError, match="shards only"):
        planned(folder, "parquet")
    (folder / "source" / "x.parquet").touch()
    with pytest.raises(UsageError, match="both tar and Parquet"):
        planned(folder)


def test_a_source_without_inputs_is_refused(folder: Path) -> None:
    with pytest.raises(InputMissingError, match="no s2lic files"):
        plan(BulkJob(DecodeOptions()), None, str(folder / "source"), str(folder / "dest"), 1000, False)


def test_the_source_is_no_destination(folder: Path) -> None:
    with pytest.raises(UsageError, match="the source itself"):
        plan(BulkJob(EncodeOptions()), None, str(folder / "source"), str(folder / "source"), 1000, False)
