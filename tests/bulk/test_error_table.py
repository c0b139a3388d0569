from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2lic.bulk import error_table
from s2lic.bulk.error_table import ERRORS, ErrorTable
from s2lic.bulk.places import Place, open_place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return open_place(str(tmp_path))


def row(target: str) -> dict[str, object]:
    return {"source": "a", "target": target, "error": "NotAnImageError"}


def saved(place: Place) -> list[str]:
    return [json.loads(line)["target"] for line in place.read(ERRORS).splitlines()]


def test_a_run_without_errors_writes_no_table(place: Place) -> None:
    table = ErrorTable(place, {"a"})
    table.add([])
    table.save()
    assert place.names() == []


def test_errors_of_finished_parts_stay_and_those_of_tasks_go(place: Place) -> None:
    table = ErrorTable(place, {"a", "b"})
    table.add([row("a"), row("b")])
    table.save()
    again = ErrorTable(place, {"b", "c"})
    again.add([row("c")])
    again.save()
    assert saved(place) == ["a", "c"]
    ErrorTable(place, {"a", "c"}).save()
    assert saved(place) == []


def test_a_long_run_saves_its_table_on_the_way(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_table, "SAVE_EVERY", -1)
    ErrorTable(place, {"a"}).add([row("a")])
    assert saved(place) == ["a"]
