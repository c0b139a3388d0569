"""The page of an evaluation."""

from __future__ import annotations

from dataclasses import replace

from s2lic.eval.bd import METRICS, compare
from s2lic.eval.curves import comparisons
from s2lic.eval.page import marks, put_into_page, table, to_markdown
from s2lic.eval.published import curve, curves
from s2lic.eval.records import EvalPicture, Evaluation, Failure, RDCurve

NAMES = tuple(f"kodim{i:02}" for i in range(1, 25))


def evaluation(*measured: RDCurve, baselines: tuple[str, ...] = ("published:vtm",), kodak: bool = True) -> Evaluation:
    return Evaluation(
        date="2026-01-31",
        command="s2lic eval kodak",
        machine="a machine",
        kodak=kodak,
        pictures=tuple(EvalPicture(name, f"{name}.png", "00", 768, 512) for name in NAMES),
        curves=measured,
        published=tuple(curves().values()) if kodak else (),
        comparisons=tuple(comparisons(measured, baselines, set(NAMES), kodak)),
        failures=(),
        samples=(),
        options={},
    )


def measured(codec: str, label: str, pictures: tuple[str, ...] = NAMES) -> RDCurve:
    """A measurement that gave exactly the points of a published curve."""
    return replace(curve(codec), codec=codec, label=label, source="a test", pictures=pictures)


def rows(text: str, start: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(start)]


def test_the_page_holds_verdicts_rates_points_and_sources() -> None:
    text = to_markdown(evaluation(measured("webp", "WebP")))
    assert rows(text, "| **WebP**")[0].startswith("| **WebP** | +86.2 % |")
    assert "| HPCM-large (paper), published | -20.1 % (28.9 to 37.5 dB) |" in text
    assert "| **WebP** | 0.247 | 0.369 | 0.574 | 0.828 |" in text
    assert "| - | 0.2344 | 28.33 | 0.9257 | 11.29 | - | - | - | - |" in text
    assert "- S2LIC (paper): digitised from the RD figure" in text
    assert "    s2lic eval kodak\n" in text


def test_rows_stand_in_order_of_the_first_baseline_which_stands_among_them() -> None:
    text = to_markdown(evaluation(measured("jpeg", "JPEG")))
    by_psnr = text.partition("## BD-rate by PSNR")[2].partition("## ")[0]
    labels = [line.split("|")[1].strip() for line in rows(by_psnr, "| ")[2:]]
    assert labels[0] == "HPCM-large (paper), published"
    assert labels.index("ELIC (paper), published") < labels.index("VTM 9.1, published") < labels.index("**JPEG**")


def test_a_measured_codec_is_a_baseline_before_the_published_one() -> None:
    both = (measured("jpeg", "JPEG"), measured("webp", "WebP"))
    text = to_markdown(evaluation(*both, baselines=("jpeg", "published:jpeg")))
    assert "| codec | against **JPEG** | against JPEG, published | dB at equal rate |" in text
    webp, jpeg = rows(text, "| **WebP**")[0].split("|"), rows(text, "| **JPEG**")[0].split("|")
    assert webp[2] == webp[3]
    assert (jpeg[2].strip(), jpeg[3].strip()) == ("-", "+0.0 %")


def test_what_cannot_be_compared_says_why_once_for_all_curves() -> None:
    both = (measured("jpeg", "JPEG"), measured("webp", "WebP"))
    text = to_markdown(evaluation(*both, kodak=False))
    assert "- **JPEG**, **WebP** against published:vtm: published points hold for the 24 Kodak pictures only" in text
    assert "24 pictures. Generated" in text


def test_one_picture_is_not_several() -> None:
    found = evaluation(measured("jpeg", "JPEG"), kodak=False)
    assert "\n1 picture. Generated" in to_markdown(replace(found, pictures=found.pictures[:1]))


def test_a_curve_that_covers_too_little_says_why_and_stands_where_it_would_with_its_interval() -> None:
    late = replace(measured("webp", "WebP"), points=curve("webp").points[1:])
    found, text = compare(late, curve("vtm"), METRICS[0]), to_markdown(evaluation(late))
    assert found.rate_percent is not None
    figure, interval = f"{found.rate_percent:+.1f} %", f"{late.points[0].psnr:.2f} to 37.50 dB"
    (row, _) = rows(text, "| **WebP** | not comparable")
    assert row == f"| **WebP** | not comparable ({figure} over {interval}) | - |"
    assert "do not cover all of 28.5 to 37.5 dB." in text
    assert f"Over what both cover, {interval}: {figure}, {found.gain_db:+.2f} dB at equal rate." in text
    assert text.index(row) < text.index("| JPEG 2000, published | +95.4 %")


def test_a_curve_that_lost_a_picture_is_not_set_against_curves_that_did_not() -> None:
    failure = Failure("kodim24", "ProgramFailedError", "it ended", "webp", 50.0)
    text = to_markdown(replace(evaluation(measured("webp", "WebP", NAMES[:-1])), failures=(failure,)))
    assert "| **WebP** | not comparable |" in text
    assert "it is over 23 pictures, and the baseline over 24" in text
    assert "Over 23 of 24 pictures" in text
    assert "- kodim24, webp at 50: ProgramFailedError: it ended" in text


def test_a_curve_that_falls_says_where() -> None:
    points = curve("webp").points
    falling = replace(measured("webp", "WebP"), points=(*points, replace(points[-1], bpp=3.0)))
    text = to_markdown(evaluation(falling))
    assert "Rate and quality do not rise together from 2.9285 bpp, 41.759 dB to 3.0000 bpp, 41.759 dB." in text


BEGIN, END = marks()


def test_a_table_has_its_head_a_rule_and_its_rows() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| ---: | ---: |\n| 1 | 2 |"


def test_a_second_measurement_replaces_the_first_and_nothing_else() -> None:
    page = put_into_page(f"before\n{BEGIN}\n{END}\nafter\n", "first")
    page = put_into_page(page, "second")
    assert page == f"before\n{BEGIN}\n\nsecond\n\n{END}\nafter\n"


def test_a_page_without_markers_gets_them_at_its_end() -> None:
    assert put_into_page("# Page\n", "text").startswith(f"# Page\n\n{BEGIN}\n\ntext\n")


def test_each_mark_keeps_its_own_part_of_a_page() -> None:
    page = put_into_page(put_into_page("# Page\n", "one", "first"), "two", "second")
    assert put_into_page(page, "three", "first") == page.replace("one", "three")
