"""`s2lic blocks place`, with the frozen model and two steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Result
from tests.frozen import MODEL, picture

Run = Callable[..., Result]


def test_every_slot_is_tried_beside_none(run: Run) -> None:
    Path("photos").mkdir()
    picture("portrait").save("photos/one.png")
    words = ("--data", "photos", "--steps", 1, "--batch", 1, "--crop", 64, "--model", MODEL)
    found = json.loads(run("blocks", "place", *words, "--json").out)
    assert [row["slots"] for row in found["tried"]] == [[], ["g_a.1"], ["g_a.2"], ["g_s.0"], ["g_s.1"]]
    assert found["best"] in [row["slots"] for row in found["tried"]]


def test_a_mixer_cannot_be_placed(run: Run) -> None:
    Path("photos").mkdir()
    picture("portrait").save("photos/one.png")
    words = ("--data", "photos", "--gate", "halo", "--steps", 0, "--crop", 64, "--model", MODEL)
    assert run("blocks", "place", *words).code == 2
