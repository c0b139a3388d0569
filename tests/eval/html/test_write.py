"""The report is one file that asks for nothing outside it and holds the evaluation's figures."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from s2lic.eval.html import write_report
from s2lic.eval.html.views import PictureView
from s2lic.eval.metrics import decibels
from s2lic.eval.records import Evaluation, Point

from .conftest import HOSTILE


class Page(HTMLParser):
    """The addresses that a page names, and the content of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.scripts: list[str] = []
        self.tags: list[str] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset")]
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    @property
    def data(self) -> Any:
        return json.loads(self.scripts[0], parse_constant=pytest.fail)


@pytest.fixture(scope="module")
def page(evaluation: Evaluation, views: list[PictureView], out: Path) -> Page:
    return Page(write_report(evaluation, out, views).read_text(encoding="utf-8"))


def test_the_page_names_no_address_outside_itself(page: Page) -> None:
    assert page.addresses
    assert [address for address in page.addresses if not address.startswith(("#", "data:"))] == []


def test_the_figures_are_those_of_the_evaluation(page: Page, evaluation: Evaluation) -> None:
    first = evaluation.samples[0]
    assert len(page.data["samples"]) == len(evaluation.samples) == 18
    assert page.data["samples"][0]["psnr"] == first.psnr
    assert first.msssim is not None
    assert page.data["samples"][0]["msssim_db"] == decibels(first.msssim)
    assert page.data["samples"][1]["msssim"] is None
    assert page.data["comparisons"][0]["rate_percent"] == 196.04
    assert [curve["codec"] for curve in page.data["curves"]][:3] == ["s2lic", "jpeg", "avif"]


def test_a_published_curve_that_shares_a_label_says_that_it_is_published(page: Page) -> None:
    labels = {curve["codec"]: curve["label"] for curve in page.data["curves"]}
    assert labels["jpeg"] == "JPEG"
    assert labels["published:jpeg"] == "JPEG, published"
    assert len(set(labels.values())) == len(labels)


def test_no_word_of_a_picture_can_end_the_script(page: Page) -> None:
    assert len(page.scripts) == 2
    assert "b" not in page.tags
    assert HOSTILE in page.data["failures"][0]


def test_lossless_decibels_are_told_in_json_that_any_reader_takes(evaluation: Evaluation, tmp_path: Path) -> None:
    lossless = replace(evaluation.curves[1], codec="webp", points=(Point(9.0, math.inf, 1.0, 100.0),))
    written = write_report(replace(evaluation, curves=(lossless,), comparisons=()), tmp_path).read_text()
    (point,) = Page(written).data["curves"][0]["points"]
    assert (point["psnr"], point["msssim_db"]) == ("inf", "inf")


def test_a_baseline_whose_curve_is_not_shown_is_still_named(evaluation: Evaluation, tmp_path: Path) -> None:
    jpeg = tuple(row for row in evaluation.comparisons if (row.codec, row.baseline) == ("jpeg", "published:vtm"))
    alone = replace(evaluation, curves=evaluation.curves[1:2], published=(), samples=(), comparisons=jpeg)
    data = Page(write_report(alone, tmp_path).read_text()).data
    assert {found["baseline"] for found in data["comparisons"]} == {"vtm"}


def test_an_evaluation_without_results_still_makes_a_page(evaluation: Evaluation, tmp_path: Path) -> None:
    nothing = replace(evaluation, pictures=(), curves=(), published=(), comparisons=(), samples=())
    data = Page(write_report(nothing, tmp_path).read_text()).data
    assert (data["curves"], data["views"]) == ([], [])
    assert data["failures"]
