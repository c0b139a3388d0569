"""`s2lic lab place`, with the frozen model and two steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from s2lic.lab import gate_placement
from tests.cli.conftest import Result
from tests.frozen import MODEL, picture

Run = Callable[..., Result]


def test_every_slot_is_tried_beside_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_placement, "SIZE", (64, 96))
    Path("photos").mkdir()
    picture("portrait").save("photos/one.png")
    words = ("--data", "photos", "--steps", 1, "--batch", 1, "--crop", 64, "--model", MODEL, "--at", "before,after")
    found = json.loads(run("lab", "place", *words, "--json").out)
    groups = ("g_a.1", "g_a.2", "g_s.0", "g_s.1")
    slots = [[f"{group}.{place}"] for group in groups for place in ("before", "after")]
    assert [row["slots"] for row in found["tried"]] == [[], *slots]
    assert found["best"] in [[], *slots]
    assert set(found["share_of_block_time"]) == {"4", "8"}


@pytest.mark.parametrize(
    ("words", "message"),
    [(("--gate", "halo"), "'halo' is not a gate"), (("--at", "after,nowhere"), "no place 'nowhere' in a group")],
    ids=["mixer", "nowhere"],
)
def test_what_cannot_be_placed_is_refused_before_the_pictures_are_read(
    run: Run, words: tuple[str, ...], message: str
) -> None:
    refused = run("lab", "place", "--data", "missing", *words)
    assert refused.code == 2
    assert message in refused.err


def test_quiet_prints_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_placement, "SIZE", (64, 96))
    Path("photos").mkdir()
    picture("portrait").save("photos/one.png")
    words = ("--data", "photos", "--steps", 0, "--batch", 1, "--crop", 64, "--model", MODEL, "--at", "after")
    assert run("lab", "place", *words, "--quiet") == Result(0, b"", "")


def test_a_crop_between_multiples_of_16_is_refused(run: Run) -> None:
    Path("photos").mkdir()
    picture("portrait").save("photos/one.png")
    refused = run("lab", "place", "--data", "photos", "--crop", 100, "--model", MODEL)
    assert refused.code == 2
    assert "--crop takes multiples of 16, not 100" in refused.err
