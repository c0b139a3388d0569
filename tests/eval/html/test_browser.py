"""The report in a headless Chromium: what moves, moves; what sorts, sorts; and its console stays empty."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from s2lic.eval.html import write_report
from s2lic.eval.html.views import PictureView
from s2lic.eval.records import Evaluation
from scripts.browser import chromium, find

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

WHERE = "no chromium and chromedriver here; Debian has them: apt-get install chromium chromium-driver"
# What an element is asked for by its id, and the cells of a column of a table.
COLUMN = (
    "return [...document.querySelectorAll(`#samples-table tbody td:nth-child(${arguments[0]})`)].map(c => c.innerText)"
)

BD_ROWS = "#bd-table tbody tr"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(evaluation: Evaluation, views: list[PictureView], out: Path) -> Iterator[Chrome]:
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


def test_a_finger_on_the_picture_moves_the_dividing_line(browser: Chrome) -> None:
    from selenium.webdriver import ActionChains

    stage = found(browser, "#stage")[0]
    quarter = stage.size["width"] // 4
    ActionChains(browser).move_to_element(stage).click_and_hold().move_by_offset(quarter, 0).release().perform()
    percent = float(shown_of_the_right_picture(browser).rpartition(" ")[2].rstrip("%)"))
    assert percent == pytest.approx(75, abs=1)
    ActionChains(browser).move_by_offset(-quarter, 0).perform()
    assert f"{percent:g}%" in shown_of_the_right_picture(browser)


def test_the_viewer_shows_the_versions_and_pictures_chosen(browser: Chrome) -> None:
    choose(browser, "#look-picture", "portrait")
    sources = set()
    for name, option in zip(("Original", "s2lic", "AVIF", "JPEG"), found(browser, "#look-left option"), strict=True):
        choose(browser, "#look-left", option.text)
        sources.add(found(browser, "#image-left")[0].get_attribute("src"))
        caption = found(browser, "#caption-left")[0].text
        assert caption == option.text
        assert name in caption
        assert name == "Original" or ("bpp" in caption and "dB" in caption)
    assert len(sources) == 4
    choose(browser, "#look-picture", "shapes")
    assert "shapes" in found(browser, "#image-left")[0].get_attribute("alt")
    assert found(browser, "#image-left")[0].get_attribute("src") not in sources
    loaded = "return [...document.images].every(image => image.complete && image.naturalWidth > 0)"
    assert browser.execute_async_script(
        f"const done = arguments[0]; setTimeout(() => done((() => {{{loaded}}})()), 300)"
    )
    for zoom, width in (("1×", 144), ("4×", 4 * 144), ("fit", 2 * 144)):
        choose(browser, "#look-zoom", zoom)
        assert found(browser, "#image-right")[0].size["width"] == width


def test_the_bd_table_tells_figures_and_reasons(browser: Chrome) -> None:
    avif, jpeg = ([cell.text for cell in row.find_elements("css selector", "td")] for row in found(browser, BD_ROWS))
    assert (jpeg[0], jpeg[1], jpeg[3]) == ("JPEG", "+196.0 %", "–")
    assert jpeg[2] in ("-5.13 dB", "-5.12 dB")
    assert jpeg[7] == "MS-SSIM not comparable: 3 of the 6 points that are needed."
    assert avif[:3] == ["AVIF", "(+17.5 %)", "(-0.75 dB)"]
    assert avif[7] == "PSNR not comparable: it begins late; in brackets over what both cover, 29.00 to 37.50 dB."


def test_the_bd_table_sorts_and_follows_the_baseline(browser: Chrome) -> None:
    click(browser, '#bd-table th[data-key="codec"] button')
    click(browser, '#bd-table th[data-key="codec"] button')
    assert [row.text.split()[0] for row in found(browser, BD_ROWS)] == ["JPEG", "AVIF"]
    choose(browser, "#bd-baseline", "AVIF")
    assert [row.text.split()[0] for row in found(browser, BD_ROWS)] == ["JPEG"]
    choose(browser, "#bd-baseline", "vtm")
    click(browser, '#bd-table th[data-key="psnr rate_percent"] button')


@pytest.mark.parametrize("width", [500, 1100])
def test_nothing_is_wider_than_the_screen(browser: Chrome, width: int) -> None:
    browser.set_window_size(width, 900)
    assert browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth") <= 0
    drawn = browser.execute_script("return document.querySelector('#chart svg').viewBox.baseVal.width")
    assert found(browser, "#chart svg")[0].size["width"] == pytest.approx(drawn, abs=1)  # so words keep their size
    assert len(found(browser, "#chart [data-label]")) == (3 if width > 1000 else 0)


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
