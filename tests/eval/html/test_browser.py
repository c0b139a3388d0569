"""The report in a headless Chromium: what moves, moves; what sorts, sorts; and its console stays empty."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from s2lic.eval.html import write_report
from s2lic.eval.html.views import View
from s2lic.eval.records import Evaluation
from scripts.browser import chromium, find

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

WHERE = "no chromium and chromedriver here; Debian has them: apt-get install chromium chromium-driver"
# What an element is asked for by its id, and the cells of a column of a table.
COLUMN = (
    "return [...document.querySelectorAll(`#samples-table tbody td:nth-child(${arguments[0]})`)].map(c => c.innerText)"
)


@pytest.fixture(scope="module")
def browser(evaluation: Evaluation, views: list[View], out: Path) -> Iterator[Chrome]:
    """The report, opened from disk; .ci/run sets S2LIC_REQUIRE_BROWSER, so that nothing is skipped there."""
    found = find()
    if found is None:
        if os.environ.get("S2LIC_REQUIRE_BROWSER") == "1":
            pytest.fail(WHERE)
        pytest.skip(WHERE)
    page = write_report(evaluation, out, views)
    with chromium(*found) as running:
        running.get(page.as_uri())
        yield running


@pytest.fixture(autouse=True)
def quiet_console(browser: Chrome) -> Iterator[None]:
    """Every test also says that the page wrote nothing to its console."""
    yield
    assert browser.get_log("browser") == []


def click(browser: Chrome, selector: str) -> None:
    browser.find_element("css selector", selector).click()


def press(browser: Chrome, selector: str, *keys: str) -> None:
    browser.find_element("css selector", selector).send_keys(*keys)


def choose(browser: Chrome, selector: str, text: str) -> None:
    from selenium.webdriver.support.select import Select

    Select(browser.find_element("css selector", selector)).select_by_visible_text(text)


def found(browser: Chrome, selector: str) -> list[Any]:
    return browser.find_elements("css selector", selector)


def column(browser: Chrome, number: int) -> list[str]:
    return browser.execute_script(COLUMN, number)  # type: ignore[no-any-return]


def test_nothing_is_fetched(browser: Chrome) -> None:
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in fetched if not name.startswith("data:")] == []


def test_a_legend_button_hides_and_shows_its_curve(browser: Chrome) -> None:
    button, curve = '#legend [data-codec="jpeg"]', '#chart .curve[data-codec="jpeg"]'
    assert len(found(browser, curve)) == 1
    assert len(found(browser, '#chart [data-label="jpeg"]')) == 1
    click(browser, button)
    assert found(browser, curve) == []
    assert found(browser, button)[0].get_attribute("aria-pressed") == "false"
    assert len(found(browser, '#chart .curve[data-codec="s2lic"]')) == 1
    press(browser, button, " ")
    assert len(found(browser, curve)) == 1
    assert found(browser, button)[0].get_attribute("aria-pressed") == "true"


def test_all_curves_and_the_measured_ones_are_one_click_away(browser: Chrome) -> None:
    click(browser, "#show-all")
    everything = len(found(browser, "#chart .curve"))
    assert everything == len(found(browser, "#legend button")) > 10
    click(browser, "#show-measured")
    assert [g.get_attribute("data-codec") for g in found(browser, "#chart .curve")] == ["s2lic", "jpeg", "avif"]


def test_the_chart_follows_the_metric_and_the_reach(browser: Chrome) -> None:
    before = found(browser, "#chart .curve path")[0].get_attribute("d")
    choose(browser, "#metric", "MS-SSIM dB")
    after = found(browser, "#chart .curve path")[0].get_attribute("d")
    assert after != before
    assert "MS-SSIM dB" in found(browser, "#chart svg")[0].text
    marks = len(found(browser, "#chart .curve .mark"))
    choose(browser, "#reach", "0.5")
    assert len(found(browser, "#chart .curve .mark")) < marks
    choose(browser, "#metric", "PSNR dB")
    choose(browser, "#reach", "2")
    assert found(browser, "#chart .curve path")[0].get_attribute("d") == before


def test_the_table_sorts_by_a_click_on_a_head_and_back_by_another(browser: Chrome) -> None:
    head = '#samples-table th[data-key="bpp"]'
    click(browser, f"{head} button")
    rates = [float(cell) for cell in column(browser, 5)]
    assert rates == sorted(rates)
    assert rates != sorted(rates, reverse=True)
    assert found(browser, head)[0].get_attribute("aria-sort") == "ascending"
    click(browser, f"{head} button")
    assert [float(cell) for cell in column(browser, 5)] == sorted(rates, reverse=True)
    assert found(browser, head)[0].get_attribute("aria-sort") == "descending"
    assert len(found(browser, "#samples-table th[aria-sort]")) == 1


def test_the_table_sorts_by_keyboard_with_what_has_no_value_last(browser: Chrome) -> None:
    from selenium.webdriver.common.keys import Keys

    for _ in range(2):
        press(browser, '#samples-table th[data-key="msssim"] button', Keys.ENTER)
        cells = column(browser, 7)
        assert cells.count("–") == 9
        assert cells[-9:] == ["–"] * 9
        assert len(set(cells[:9])) > 1


def test_the_table_filters_by_codec_and_name(browser: Chrome) -> None:
    choose(browser, "#samples-codec", "AVIF")
    press(browser, "#samples-name", "SHAPE")
    assert column(browser, 1) == ["shapes"] * 3
    assert column(browser, 2) == ["AVIF"] * 3
    assert found(browser, "#samples-count")[0].text == "3 of 18 rows"
    choose(browser, "#samples-codec", "all")
    press(browser, "#samples-name", "\b" * 5)
    assert len(column(browser, 1)) == 18


def shown_of_the_right_picture(browser: Chrome) -> str:
    style: str = browser.execute_script("return getComputedStyle(document.getElementById('image-right')).clipPath")
    return style


def test_the_slider_moves_the_dividing_line(browser: Chrome) -> None:
    from selenium.webdriver.common.keys import Keys

    assert shown_of_the_right_picture(browser) == "inset(0px 0px 0px 50%)"
    press(browser, "#slider", Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert shown_of_the_right_picture(browser) == "inset(0px 0px 0px 51%)"
    press(browser, "#slider", Keys.HOME)
    assert shown_of_the_right_picture(browser) == "inset(0px 0px 0px 0%)"
    assert found(browser, "#divider")[0].value_of_css_property("left") == "0px"
    press(browser, "#slider", Keys.END)
    assert shown_of_the_right_picture(browser) == "inset(0px 0px 0px 100%)"


def test_the_viewer_shows_the_versions_and_pictures_chosen(browser: Chrome) -> None:
    choose(browser, "#look-picture", "portrait")
    sources = set()
    for name in ("Original", "s2lic", "AVIF", "JPEG"):
        choose(browser, "#look-left", name)
        sources.add(found(browser, "#image-left")[0].get_attribute("src"))
        caption = found(browser, "#caption-left")[0].text
        assert name == "Original" or (name in caption and "bpp" in caption)
    assert len(sources) == 4
    choose(browser, "#look-picture", "shapes")
    assert "shapes" in found(browser, "#image-left")[0].get_attribute("alt")
    assert found(browser, "#image-left")[0].get_attribute("src") not in sources
    loaded = "return [...document.images].every(image => image.complete && image.naturalWidth > 0)"
    assert browser.execute_async_script(
        f"const done = arguments[0]; setTimeout(() => done((() => {{{loaded}}})()), 300)"
    )
    choose(browser, "#look-zoom", "2×")
    assert found(browser, "#image-right")[0].size["width"] == 2 * 144


def test_the_bd_table_tells_figures_and_reasons(browser: Chrome) -> None:
    (row,) = (row.text for row in found(browser, "#bd-table tbody tr"))
    assert "+196.0 % (-5.13 dB)" in row or "+196.0 % (-5.12 dB)" in row
    assert "28.5 to 37.5" in row
    assert "not comparable: 3 points, and 6 are needed" in row


def test_everything_that_is_operated_has_a_name_and_is_reached_by_keyboard(browser: Chrome) -> None:
    script = """
        const named = e => e.getAttribute("aria-label") || (e.labels ? e.labels.length : e.innerText.trim());
        const written = e => e.tagName === "BUTTON" && e.innerText.trim();
        return [...document.querySelectorAll("button, select, input, a, [tabindex]")]
            .filter(e => e.tabIndex < 0 || !(named(e) || written(e))).map(e => e.outerHTML)"""
    assert browser.execute_script(script) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(browser: Chrome, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    colours = [found(browser, "body")[0].value_of_css_property(name) for name in ("color", "background-color")]
    ink, paper = (luminance(colour) for colour in colours)
    assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) > 7  # WCAG's enhanced contrast
    assert (paper > ink) == (scheme == "light")


def luminance(colour: str) -> float:
    """WCAG's relative luminance of rgba(r, g, b, a)."""
    red, green, blue = (int(word) / 255 for word in colour.partition("(")[2].rstrip(")").split(",")[:3])
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
