"""What the report's viewer shows: files matched in size, cut alike, and nothing lost on the way into the page."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic.eval import viewing
from s2lic.eval.codecs.base import Coder
from s2lic.eval.html import views as shown
from s2lic.eval.records import Evaluation
from s2lic.eval.run import EvalRequest, Selection, evaluate
from s2lic.eval.viewing import nearest, views
from tests.frozen import FOLDER, MODEL, PICTURES, codec, picture

OURS = Selection("s2lic", (10.0, 50.0, 90.0), (("model", str(MODEL)),))
OTHERS = (Selection("avif", (60, 90)), Selection("jpeg2000", (10, 80)))


class Ruler(Coder):
    """Files of ten bytes a step of quality, or less with it; counts how often it is asked."""

    identity = "a ruler"

    def __init__(self, falling: bool = False) -> None:
        self.asked, self.falling = 0, falling

    def encode(self, image: Image.Image, quality: float) -> bytes:
        self.asked += 1
        return bytes(10 * int(101 - quality if self.falling else quality))

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        raise NotImplementedError


@pytest.mark.parametrize(("size", "quality"), [(500, 50), (504, 50), (506, 51), (1, 1), (99999, 100), (15, 2), (14, 1)])
def test_the_quality_is_the_one_whose_file_comes_nearest_by_ratio(size: int, quality: int) -> None:
    assert quality == min(range(1, 101), key=lambda q: abs(math.log(10 * q / size)))
    assert nearest(Ruler(), picture("shapes"), size, 1, 100) == (quality, bytes(10 * quality))
    assert nearest(Ruler(falling=True), picture("shapes"), size, 100, 1) == (101 - quality, bytes(10 * quality))


def test_the_search_tries_few_qualities() -> None:
    coder = Ruler()
    nearest(coder, picture("shapes"), 333, 1, 100)
    assert coder.asked <= 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def found(folder: Path) -> Evaluation:
    """The two tracked pictures through our codec, AVIF, and one whose scale of quality is turned round."""
    paths = [FOLDER / "pictures" / f"{name}.png" for name in PICTURES]
    return evaluate(paths, EvalRequest((OURS, *OTHERS), (), folder))


def rate(caption: str) -> float:
    return float(caption.partition(" bpp")[0].rpartition(" ")[2])


def test_the_versions_of_a_picture_are_of_about_one_size_and_say_rate_and_level(
    found: Evaluation, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewing, "BPP", 2.0)  # headers weigh much in pictures as small as these
    for view in views(found, folder):
        assert [version.name for version in view.versions] == ["Original", "s2lic", "AVIF", "JPEG 2000"]
        captions = [version.caption for version in view.versions[1:]]
        assert all(" dB (quality " in caption for caption in captions)
        assert rate(captions[1]) == pytest.approx(rate(captions[0]), rel=0.06)


def test_the_original_and_ours_are_shown_to_the_bit(
    found: Evaluation, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "CROP", (100, 80))
    view = next(view for view in views(found, folder) if view.picture == "portrait")
    assert (view.width, view.height) == (100, 80)
    quality = float(view.versions[1].caption.rpartition("quality ")[2].rstrip(")"))
    (sample,) = (s for s in found.samples if (s.codec, s.picture, s.quality) == ("s2lic", "portrait", quality))
    whole = picture("portrait"), codec("auto").decode((folder / sample.file).read_bytes())
    left, top = (whole[0].width - 100) // 2, (whole[0].height - 80) // 2
    for version, full in zip(view.versions, whole, strict=False):
        with Image.open(io.BytesIO(version.webp)) as cut:
            expected = full.crop((left, top, left + 100, top + 80))
            assert np.array_equal(np.asarray(cut.convert("RGB")), np.asarray(expected))


def test_pictures_go_from_the_fewest_bits_to_the_most(found: Evaluation, folder: Path) -> None:
    rates = [rate(view.versions[1].caption) for view in views(found, folder)]
    assert len(rates) == 2
    assert rates == sorted(rates)


def test_the_first_codec_that_measured_anything_leads_and_without_any_there_is_no_view(
    found: Evaluation, folder: Path
) -> None:
    ours, avif, _ = found.curves
    (view, *_) = views(replace(found, curves=(replace(ours, points=()), avif), samples=found.samples), folder)
    assert [version.name for version in view.versions][1] == "AVIF"
    assert views(replace(found, curves=(), samples=()), folder) == []
