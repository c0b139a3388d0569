"""Codecs that Pillow and its plugins have."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from PIL import Image, features

from s2lic.errors import ExtraMissingError, QualityRangeError, UsageError
from s2lic.eval import codecs
from s2lic.eval.codecs.base import CodecRow
from s2lic.eval.metrics import psnr

PORTRAIT = Path(__file__).parents[2] / "pictures/portrait.png"
NAMES = ("jpeg", "webp", "avif", "jpeg2000", "jxl", "heif")


@pytest.fixture
def image() -> Image.Image:
    with Image.open(PORTRAIT) as opened:
        return opened.convert("RGB").crop((0, 0, 96, 80))


@pytest.mark.parametrize("name", NAMES)
def test_every_codec_gives_back_a_picture_that_is_nearer_the_more_bytes_it_has(name: str, image: Image.Image) -> None:
    row = codecs.row(name)
    coder = row.open({})
    files = [coder.encode(image, quality) for quality in (row.qualities[0], row.qualities[-1])]
    pictures = [coder.decode(data, image.size) for data in files]
    assert {picture.size for picture in pictures} == {image.size}
    order = sorted(range(2), key=lambda i: len(files[i]))
    assert psnr(image, pictures[order[0]]) < psnr(image, pictures[order[1]])
    assert psnr(image, pictures[order[1]]) > 25
    assert any(character.isdigit() for character in coder.identity)


@pytest.mark.parametrize("name", NAMES)
def test_grey_pictures_are_coded_too(name: str, image: Image.Image) -> None:
    row, grey = codecs.row(name), image.convert("L")
    coder = row.open({})
    largest = max((coder.encode(grey, quality) for quality in (row.qualities[0], row.qualities[-1])), key=len)
    assert psnr(grey, coder.decode(largest, grey.size)) > 20


def test_jpeg_2000_takes_colours_apart_before_the_wavelet(image: Image.Image) -> None:
    coder, plain = codecs.row("jpeg2000").open({}), io.BytesIO()
    image.save(plain, "JPEG2000", quality_layers=[20], irreversible=True)
    ours = coder.decode(coder.encode(image, 20), image.size)
    assert psnr(image, ours) > psnr(image, Image.open(plain)) + 1


def test_names_and_extensions_are_unique_and_default_qualities_are_on_the_scale() -> None:
    assert len({row.name for row in codecs.ROWS}) == len({row.extension for row in codecs.ROWS}) == len(codecs.ROWS)
    for row in codecs.ROWS:
        for quality in row.qualities:
            row.scale.check(row.name, quality)


def test_curves_of_six_points_or_more_are_the_default_where_the_scale_is_the_codecs_own() -> None:
    assert all(len(row.qualities) >= 6 for row in codecs.ROWS if row.name != "compressai")


def test_an_unknown_codec_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="jpeg2000"):
        codecs.row("nonsense")


@pytest.mark.parametrize(("name", "quality"), [("jpeg", 0), ("jpeg", 12.5), ("avif", 101), ("vtm", 64)])
def test_a_quality_off_the_scale_is_refused(name: str, quality: float) -> None:
    row = codecs.row(name)
    with pytest.raises(QualityRangeError, match=row.scale.word):
        row.scale.check(name, quality)


def test_an_option_that_a_codec_does_not_take_is_refused_and_the_known_ones_are_told() -> None:
    with pytest.raises(UsageError, match=r"vtm\.encoder"):
        codecs.row("vtm").check({"encodr": "x"})
    with pytest.raises(UsageError, match="it has none"):
        codecs.row("jpeg").check({"speed": "1"})


@pytest.mark.parametrize(("name", "module"), [("jxl", "pillow_jxl"), ("heif", "pillow_heif")])
def test_a_missing_plugin_names_its_package(name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissingError, match=rf"{module}.*pip install 's2lic\[{name}\]'"):
        codecs.row(name).open({})


@pytest.mark.parametrize("row", [codecs.row(name) for name in ("webp", "avif", "jpeg2000")], ids=lambda row: row.name)
def test_a_library_that_pillow_was_built_without_is_named(row: CodecRow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda feature: False)
    with pytest.raises(ExtraMissingError, match="this Pillow was built without"):
        row.open({})
