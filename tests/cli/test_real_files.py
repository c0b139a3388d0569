"""`s2lic encode` and `s2lic decode` on files with alpha and metadata, with the frozen model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic.images.metadata import EXIF_MARK, metadata_of
from tests.files import ORIENTATION, PROFILE, XMP, exif, png_of_16_bits
from tests.frozen import MODEL, picture

from .conftest import Result

Run = Callable[..., Result]
BLOCK = exif({ORIENTATION: (3, 8), 0x0128: (3, 2)})
KEPT = {"icc_profile": PROFILE, "exif": exif({ORIENTATION: (3, 1), 0x0128: (3, 2)}), "xmp": XMP}


def opened(path: str) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


@pytest.fixture
def sideways(tmp_path: Path) -> Path:
    path = tmp_path / "sideways.jpg"
    image = picture("portrait", size=(33, 20))
    image.save(path, icc_profile=PROFILE, exif=EXIF_MARK + BLOCK, xmp=XMP)
    return path


@pytest.fixture
def logo(tmp_path: Path) -> Path:
    path = tmp_path / "logo.png"
    image = picture("shapes", size=(33, 20))
    image.putalpha(picture("portrait", "L", (33, 20)))
    image.save(path)
    return path


def test_metadata_go_from_file_to_file_and_the_picture_stands_upright(run: Run, sideways: Path) -> None:
    assert run("encode", sideways, "-o", "a.bin", "--model", MODEL).code == 0
    for name in ("b.png", "b.jpg", "b.webp"):
        assert run("decode", "a.bin", "-o", name, "--model", MODEL).code == 0
        assert opened(name).size == (20, 33)
        assert metadata_of(opened(name)) == KEPT


def test_strip_leaves_them_out_on_either_side(run: Run, sideways: Path) -> None:
    run("encode", sideways, "-o", "a.bin", "--strip", "--model", MODEL)
    run("encode", sideways, "-o", "b.bin", "--model", MODEL)
    run("decode", "a.bin", "-o", "a.png", "--model", MODEL)
    run("decode", "b.bin", "-o", "b.png", "--strip", "--model", MODEL)
    assert metadata_of(opened("a.png")) == metadata_of(opened("b.png")) == {}
    assert opened("a.png").size == opened("b.png").size == (20, 33)
    cost = Path("b.bin").stat().st_size - Path("a.bin").stat().st_size
    assert sum(map(len, KEPT.values())) < cost <= sum(map(len, KEPT.values())) + 9


def test_metadata_without_a_place_are_said(run: Run, sideways: Path) -> None:
    run("encode", sideways, "-o", "a.bin", "--model", MODEL)
    result = run("decode", "a.bin", "-o", "a.bmp", "--model", MODEL)
    assert result.code == 0
    assert "a.bin: .bmp has no place for icc_profile, exif, xmp" in result.err


def test_alpha_comes_back_and_needs_a_background_where_there_is_none(run: Run, logo: Path) -> None:
    run("encode", logo, "-o", "a.bin", "--model", MODEL)
    run("decode", "a.bin", "-o", "a.png", "--model", MODEL)
    assert np.array_equal(np.asarray(opened("a.png"))[..., 3], np.asarray(opened("logo.png"))[..., 3])
    refused = run("decode", "a.bin", "-o", "a.jpg", "--model", MODEL)
    assert (refused.code, Path("a.jpg").exists()) == (2, False)
    assert "--background white" in refused.err
    assert run("decode", "a.bin", "-o", "a.jpg", "--background", "white", "--model", MODEL).code == 0
    assert run("decode", "a.bin", "-o", "b.jpg", "--background", "whitish", "--model", MODEL).code == 2


def test_a_crop_has_its_part_of_the_alpha(run: Run, logo: Path) -> None:
    run("encode", logo, "-o", "a.bin", "--model", MODEL)
    run("decode", "a.bin", "-o", "a.png", "--crop", "5,6,20,10", "--model", MODEL)
    assert np.array_equal(np.asarray(opened("a.png"))[..., 3], np.asarray(opened("logo.png"))[6:16, 5:25, 3])


def test_a_loss_is_said_or_with_strict_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "deep.png").write_bytes(png_of_16_bits(np.arange(600, dtype=np.uint16).reshape(20, 30)))
    told = run("encode", "deep.png", "-o", "a.bin", "--json", "--model", MODEL)
    assert "s2lic: note: deep.png: 16-bit" in told.err
    assert len(json.loads(told.out)["notes"]) == 1
    refused = run("encode", "deep.png", "-o", "b.bin", "--strict", "--model", MODEL)
    assert (refused.code, Path("b.bin").exists()) == (1, False)
    assert "16-bit" in refused.err
    assert "leave out strict (--strict)" in refused.err
    assert run("encode", "deep.png", "-o", "c.bin", "--quiet", "--model", MODEL).err == ""


def test_a_change_without_loss_is_said_too_and_strict_lets_it_pass(run: Run, tmp_path: Path) -> None:
    picture("shapes", "P", (30, 20)).save(tmp_path / "palette.png")
    result = run("encode", "palette.png", "-o", "a.bin", "--strict", "--model", MODEL)
    assert result.code == 0
    assert "palette.png: palette colours became RGB" in result.err
