"""`s2lic demo`: a table on stdout, files and a side-by-side picture in a folder."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from s2lic.errors import ExtraMissingError
from s2lic.eval import demo
from s2lic.eval.codecs.base import CodecRow
from s2lic.eval.codecs.pillow_codecs import JPEG

from .conftest import Result

Run = Callable[..., Result]


@pytest.mark.usefixtures("fake_codec")
def test_each_quality_is_a_row_and_two_files(run: Run, photo: Path) -> None:
    result = run("demo", photo, "--qualities", "90,10", "--out", "shown")
    assert result.code == 0
    rows = [re.split("  +", line.strip()) for line in result.out.decode().splitlines()[2:]]
    codecs = ["s2lic", "s2lic, psnr", "AVIF", "JPEG"]
    assert [row[:2] for row in rows] == [[quality, name] for quality in ("10", "90") for name in codecs]
    assert all(len(line) <= 100 for line in result.out.decode().splitlines())
    names = {"q10.s2lic", "q10.png", "q90.s2lic", "q90.png", "side-by-side.png"}
    assert {path.name for path in Path("shown").iterdir()} == names
    assert int(rows[0][2]) == Path("shown/q10.s2lic").stat().st_size
    with Image.open("shown/side-by-side.png") as view:
        assert view.size == (5 * 40, 2 * (24 + demo.CAPTION))


@pytest.mark.usefixtures("fake_codec")
def test_the_rows_are_json_for_programs(run: Run, photo: Path) -> None:
    rows = json.loads(run("demo", photo, "--qualities", "90,10", "--json").out)
    codecs = ["s2lic", "s2lic, psnr", "AVIF", "JPEG"]
    assert [(row["quality"], row["codec"]) for row in rows] == [(q, name) for q in (10, 90) for name in codecs]
    assert rows[0]["bytes"] == Path("demo/q10.s2lic").stat().st_size
    assert rows[0]["ms_ssim"] is None  # the picture is too small for it
    assert all(row["bytes"] > 0 and row["psnr"] > 0 for row in rows)
    assert [row["encode_seconds"] is None for row in rows[:4]] == [False, True, True, True]


@pytest.mark.usefixtures("fake_codec")
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_picture_that_jpeg_cannot_stand_beside_is_refused_before_any_work(run: Run, photo: Path, mode: str) -> None:
    with Image.open(photo) as image:
        cut = image.convert(mode)
    cut.putpixel((0, 0), (0,) * len(mode))
    cut.save("cutout.png")
    refused = run("demo", "cutout.png", "--qualities", "50")
    assert refused.code == 1
    assert "put this transparent one onto a background first" in refused.err
    assert not Path("demo").exists()


@pytest.mark.usefixtures("fake_codec")
def test_quiet_leaves_the_files_alone_to_speak(run: Run, photo: Path) -> None:
    assert run("demo", photo, "--qualities", "90,10", "--quiet") == Result(0, b"", "")
    assert Path("demo/q90.s2lic").is_file()


@pytest.mark.usefixtures("fake_codec")
def test_the_sample_photograph_is_shown_by_default(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PEERS", (JPEG,))  # AVIF takes seconds here, and is tested on smaller pictures
    result = run("demo", "--qualities", "50")
    assert result.code == 0
    assert result.out.startswith(b"768 x 512 pixels")
    ms_ssim, ssimulacra2 = (float(text) for text in result.out.decode().splitlines()[2].split()[5:7])
    assert 0.9 < ms_ssim < 1
    assert 50 < ssimulacra2 < 100


def test_psnr_is_the_formula() -> None:
    black = Image.new("RGB", (4, 4))
    grey = Image.new("RGB", (4, 4), (3, 3, 3))
    assert demo.psnr(black, grey) == pytest.approx(10 * math.log10(255**2 / 9))
    assert demo.psnr(black, black) == math.inf


@pytest.mark.parametrize("row", demo.PEERS, ids=lambda row: row.name)
def test_the_peers_are_of_the_nearest_size(row: CodecRow) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8))
    coder = row.open({})
    sizes = [len(coder.encode(noise, quality)) for quality in range(int(row.scale.low), int(row.scale.high) + 1)]
    for wanted in (1, 1000, 10**6):
        found = demo.of_size(row, noise, 50, wanted).size
        # Sizes do not rise strictly with the quality of AVIF: a neighbour may be nearer by a few bytes.
        assert abs(found - wanted) <= min(abs(size - wanted) for size in sizes) + 0.02 * found


def test_a_pillow_without_avif_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda feature: feature != "avif")
    with pytest.raises(ExtraMissingError, match="without libavif"):
        demo.of_size(demo.PEERS[0], Image.new("RGB", (64, 64)), 50, 100)


def test_the_sample_is_packaged_with_its_licence() -> None:
    assert "CC0" in demo.SAMPLE.with_suffix(".txt").read_text()
    with Image.open(demo.SAMPLE) as image:
        assert (image.size, image.mode) == ((768, 512), "RGB")


def test_a_file_where_the_folder_should_be_is_refused(run: Run, photo: Path) -> None:
    result = run("demo", photo, "--out", photo)
    assert result.code == 2
    assert result.out == b""
    assert "a file is in its way" in result.err


@pytest.mark.usefixtures("fake_codec")
@pytest.mark.parametrize("name", ["q10.s2lic", "q90.png", "side-by-side.png"])
def test_a_file_that_is_there_is_overwritten_only_by_force(run: Run, photo: Path, name: str) -> None:
    words = ("demo", photo, "--qualities", "90,10", "--out", "shown")
    Path("shown").mkdir()
    Path("shown", name).write_bytes(b"mine")
    refused = run(*words)
    assert (refused.code, refused.out) == (2, b"")
    assert f"shown/{name} is already there; --force overwrites it" in refused.err
    assert [(path.name, path.read_bytes()) for path in Path("shown").iterdir()] == [(name, b"mine")]
    assert run(*words, "--force").code == 0
    assert run(*words, "--force").code == 0
    assert Path("shown", name).read_bytes() != b"mine"


@pytest.mark.usefixtures("fake_codec")
def test_where_ms_ssim_is_not_defined_a_dash_stands_and_a_note_says_why(run: Run, photo: Path) -> None:
    result = run("demo", photo, "--qualities", "50")
    assert result.out.decode().splitlines()[2].split()[5:7] == ["-", "-"]
    assert result.err == "s2lic: note: MS-SSIM needs at least 161 pixels a side, SSIMULACRA2 225\n"
