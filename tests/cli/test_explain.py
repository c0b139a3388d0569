"""`s2lic explain`, with the frozen model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from s2lic.container.boxes import unpack
from tests.frozen import MODEL

from .conftest import Result

Run = Callable[..., Result]


@pytest.mark.parametrize("show", ["relevance", "salience", "bits"])
def test_a_map_lies_over_the_picture(run: Run, photo: Path, show: str) -> None:
    found = run("explain", photo.name, "--show", show, "--model", MODEL, "--json")
    facts = json.loads(found.out)
    assert facts["show"] == show
    assert facts["y_bits"] > 0
    with Image.open("photo.explain.png") as image:
        assert (image.mode, image.size) == ("RGB", (40, 24))


def test_colour_that_does_not_show_takes_no_bits(run: Run) -> None:
    found = []
    for colours in (Image.effect_noise((64, 64), 80).convert("RGB"), Image.new("RGB", (64, 64), "red")):
        colours.putalpha(0)
        colours.save("hidden.png")
        found.append(json.loads(run("explain", "hidden.png", "--force", "--model", MODEL, "--json").out)["y_bits"])
    assert found[0] == found[1]


@pytest.mark.parametrize(("side", "told"), [(1, False), (64, True)])
def test_a_share_is_told_where_it_is_one(run: Run, side: int, told: bool) -> None:
    Image.new("RGB", (side, side), "black").save("flat.png")
    kept = json.loads(run("explain", "flat.png", "--model", MODEL, "--json").out)["kept"]
    assert (0 <= kept <= 1) == told
    assert ("% traced" in run("explain", "flat.png", "--force", "--model", MODEL).err) == told


def test_a_map_alone_serves_as_regions(run: Run, photo: Path) -> None:
    assert run("explain", photo.name, "--plain", "-o", "map.png", "--model", MODEL).code == 0
    with Image.open("map.png") as image:
        assert image.mode == "L"
    assert run("encode", photo.name, "-o", "a.bin", "--roi", "map.png", "--model", MODEL).code == 0
    assert run("encode", photo.name, "-o", "b.bin", "--roi", "saliency", "--model", MODEL).code == 0
    assert run("encode", photo.name, "-o", "c.bin", "--model", MODEL).code == 0
    assert unpack(Path("a.bin").read_bytes()).roi
    assert not unpack(Path("c.bin").read_bytes()).roi
    assert run("decode", "a.bin", "-o", "a.png", "--model", MODEL).code == 0


def test_an_output_that_is_there_is_refused_before_any_work(run: Run, photo: Path) -> None:
    Path("photo.explain.png").write_bytes(b"mine")
    assert run("explain", photo.name).code == 2
    assert Path("photo.explain.png").read_bytes() == b"mine"


def test_a_map_that_is_not_there_is_the_callers_fault(run: Run, photo: Path) -> None:
    found = run("encode", photo.name, "--roi", "nothing.png", "--model", MODEL)
    assert found.code == 2
    assert "nothing.png" in found.err


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ((), "photo.png"),
        (("--cond", "told.png"), "told.png"),
        (("--target", "logit", "--classifier", "net.png"), "net.png"),
    ],
    ids=["picture", "cond", "classifier"],
)
@pytest.mark.parametrize("linked", [False, True], ids=["named", "linked"])
def test_what_is_read_is_never_overwritten(
    run: Run, photo: Path, words: tuple[str, ...], kept: str, linked: bool
) -> None:
    for name in ("told.png", "net.png"):
        Path(name).write_bytes(b"mine")
    Path("link.png").symlink_to(kept)
    before = Path(kept).read_bytes()
    result = run("explain", photo.name, *words, "-o", "link.png" if linked else kept, "--force", "--model", MODEL)
    assert result.code == 2
    assert "is an input itself" in result.err
    assert Path(kept).read_bytes() == before


def test_stdout_takes_the_picture_or_json_and_not_both(run: Run, photo: Path) -> None:
    result = run("explain", photo.name, "-o", "-", "--json", "--model", MODEL)
    assert (result.code, result.out) == (2, b"")
    assert "give -o FILE" in result.err


def test_an_output_of_another_format_is_refused_before_any_work(run: Run, photo: Path) -> None:
    found = run("explain", photo.name, "-o", "map.jpg")
    assert found.code == 2
    assert "is a PNG" in found.err
    assert not Path("map.jpg").exists()
