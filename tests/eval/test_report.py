"""The page, the record and the picture of a measurement."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from s2lic.eval.plot import rd_plot
from s2lic.eval.published import curve
from s2lic.eval.rd import Point
from s2lic.eval.report import NEW_PAGE, Report, machine, put_into_page, to_markdown, today


def report(points: list[Point]) -> Report:
    return Report(today(), "the command", machine(), "nano", "0123456789abcdef", 24, points)


@pytest.fixture
def as_webp() -> Report:
    """A measurement that gave exactly the points of WebP."""
    points = enumerate(curve("webp"))
    return report([Point(5.0 * i, p.bpp, p.psnr, p.msssim, 0.25, 0.5) for i, p in points])


def test_the_page_holds_points_rates_and_verdicts(as_webp: Report) -> None:
    text = to_markdown(as_webp)
    assert "| 0 | 0.2344 | 28.33 | 0.9257 | 11.29 | 0.25 | 0.50 |" in text
    assert "| s2lic | 0.247 | 0.369 | 0.574 | 0.828 |" in text
    assert "| webp | 0.247 | 0.369 | 0.574 | 0.828 |" in text
    assert "BD-rate against vtm: +86.2 %." in text
    assert "BD-rate against webp: +0.0 %." in text
    assert "quality: yes." in text


def test_a_curve_that_falls_is_told_and_has_no_rates() -> None:
    text = to_markdown(report([Point(0, 0.2, 30, None, 0, 0), Point(50, 0.1, 31, None, 0, 0)]))
    assert "| 0 | 0.2000 | 30.00 | - | - |" in text
    assert "| s2lic | - | - | - | - |" in text
    assert "BD-rate against vtm: not comparable: 2 points" in text
    assert "quality: no, not from 0.2000 bpp" in text


def test_the_record_is_json_with_everything_in_it(as_webp: Report) -> None:
    record = json.loads(json.dumps(as_webp.to_json()))
    assert len(record["points"]) == 19
    assert record["monotone"] is True
    assert record["bd_rate"]["vtm"]["percent"] == pytest.approx(86.2, abs=0.05)
    assert record["bpp_at_psnr"]["jpeg"][0] == pytest.approx(0.46, abs=0.005)


def test_a_second_measurement_replaces_the_first_and_nothing_else() -> None:
    page = put_into_page("before\n" + NEW_PAGE + "after\n", "first")
    page = put_into_page(page, "second")
    assert "first" not in page
    assert page.startswith("before\n# Results\n")
    assert page.endswith("after\n")
    assert page.count("second") == 1


def test_a_page_without_markers_gets_them_at_its_end() -> None:
    assert put_into_page("# Page\n", "text").startswith("# Page\n\n<!-- measured: begin -->\n\ntext\n")


def test_the_curves_are_drawn_as_png(as_webp: Report) -> None:
    with Image.open(io.BytesIO(rd_plot(as_webp.points, "s2lic"))) as image:
        assert image.format == "PNG"
        assert image.width > 500
