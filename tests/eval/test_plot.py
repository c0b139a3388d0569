"""The plot of rate-distortion curves: whose they are, where they are named, and what the inset shows."""

from __future__ import annotations

import io
import math
import sys
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from s2lic.errors import ExtraMissingError
from s2lic.eval.plot import BPP_MAX, LABEL_STEP, ZOOM, rd_figure, rd_plot, spread
from s2lic.eval.records import Evaluation, Point, RDCurve
from s2lic.eval.styles import STYLES, first, label, style, styles

OURS = RDCurve("s2lic", "s2lic", "a test", (Point(0.2, 28.0, 0.9), Point(0.5, 32.0, 0.96), Point(3.0, 42.0, 0.99)))
JPEG = RDCurve("jpeg", "JPEG", "a test", (Point(0.5, 28.0, 0.9), Point(1.0, 32.0, 0.95), Point(1.5, 34.0, 0.97)))
VTM = RDCurve("published:vtm", "VTM", "a table", (Point(0.1, 28.0), Point(0.4, 33.0), Point(1.5, 40.0)))
HM = RDCurve("published:hm", "HM", "a table", VTM.points)
LOSSLESS = RDCurve("jxl", "JPEG XL", "a test", (Point(9.0, math.inf, 1.0),))


def evaluation(*curves: RDCurve) -> Evaluation:
    measured, published = (tuple(c for c in curves if c.published == wanted) for wanted in (False, True))
    return Evaluation("2026-01-31", "a command", "a machine", False, (), measured, published, (), (), (), {})


def test_every_measured_curve_is_drawn_and_named_and_few_of_the_published() -> None:
    psnr, msssim, _ = rd_figure(evaluation(OURS, JPEG, VTM, HM)).axes
    assert {words.get_text() for words in psnr.texts} == {"VTM", "s2lic", "JPEG"}
    assert {words.get_text() for words in msssim.texts} == {"s2lic", "JPEG"}  # VTM has no MS-SSIM here
    assert [len(line.get_xdata()) for line in psnr.lines] == [3, 3, 3]


def test_published_curves_are_dashed_and_their_marks_hollow() -> None:
    psnr, *_ = rd_figure(evaluation(OURS, VTM)).axes
    published, measured = psnr.lines
    assert (published.is_dashed(), measured.is_dashed()) == (True, False)
    assert published.get_markerfacecolor() == "white"
    assert measured.get_markerfacecolor() == measured.get_color()


def test_a_curve_that_leaves_the_plot_is_named_where_it_leaves() -> None:
    psnr, *_ = rd_figure(evaluation(OURS)).axes
    at_edge = 32.0 + (42.0 - 32.0) * (BPP_MAX - 0.5) / (3.0 - 0.5)
    assert psnr.texts[0].xy == (BPP_MAX, pytest.approx(at_edge))
    assert psnr.get_ylim()[1] > at_edge


def test_labels_never_cover_one_another() -> None:
    twins = [RDCurve(f"codec{i}", f"codec {i}", "a test", JPEG.points) for i in range(6)]
    psnr, *_ = rd_figure(evaluation(*twins)).axes
    heights = [words.xyann[1] for words in psnr.texts]
    assert np.diff(heights).min() >= LABEL_STEP - 1e-9


def test_spread_moves_what_is_too_near_to_both_sides_and_nothing_else() -> None:
    np.testing.assert_allclose(spread(np.array([0.1, 0.5, 0.5, 0.9]), 0.1), [0.1, 0.45, 0.55, 0.9])


def test_the_inset_shows_everyday_rates_and_no_curve_far_below_the_best() -> None:
    worse = RDCurve("webp", "WebP", "a test", tuple(Point(p.bpp, p.psnr - 30, p.msssim) for p in OURS.points))
    psnr, *_ = rd_figure(evaluation(OURS, worse)).axes
    (inset,) = psnr.child_axes
    assert inset.get_xlim() == ZOOM
    low, high = inset.get_ylim()
    assert 25.0 < low < 28.0
    assert high > 32.0


def test_lossless_curves_and_empty_evaluations_are_no_obstacle() -> None:
    with Image.open(io.BytesIO(rd_plot(evaluation(OURS, LOSSLESS)))) as image:
        assert image.format == "PNG"
        assert image.width > 1000
    assert rd_figure(evaluation()).axes


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ExtraMissingError, match=r"pip install 's2lic\[eval\]'"):
        rd_plot(evaluation(OURS))


def test_only_the_same_codec_by_another_name_looks_alike() -> None:
    alike = [pair for pair in combinations(STYLES, 2) if STYLES[pair[0]] == STYLES[pair[1]]]
    assert alike == [("avif", "av1"), ("elic2022", "elic")]


def test_a_codec_without_a_row_always_gets_the_same_style() -> None:
    assert style("published:mbt2018") == style("mbt2018") == style("mbt2018")


def test_measured_curves_have_a_colour_each_and_those_with_a_row_their_own() -> None:
    names = ("s2lic-a", "s2lic-b", "mine", "s2lic", "jpeg", "jpeg2000", "avif", "webp", "jxl", "elic2022", "heif", "c")
    curves = [RDCurve(name, name, "a test", JPEG.points) for name in names]
    looks = styles([*curves, VTM, HM])
    assert len({looks[name].colour for name in names}) == len(names)
    assert [looks[name] for name in ("s2lic", "jpeg", "avif", "published:hm")] == [
        STYLES[name] for name in ("s2lic", "jpeg", "avif", "hm")
    ]
    psnr, *_ = rd_figure(evaluation(*curves)).axes
    assert len({line.get_color() for line in psnr.lines}) == len(names)


def test_a_published_curve_of_a_measured_codec_says_so_and_waits_to_be_asked_for() -> None:
    twin = RDCurve("published:jpeg", "JPEG", "a table", ())
    assert (label(twin, (JPEG, twin)), first(twin, (JPEG, twin))) == ("JPEG, published", False)
    assert (label(twin, (OURS, twin)), first(twin, (OURS, twin))) == ("JPEG", True)
    assert (label(JPEG, (JPEG, twin)), first(JPEG, (JPEG, twin))) == ("JPEG", True)
    assert (label(HM, (JPEG, HM)), first(HM, (JPEG, HM))) == ("HM", False)
