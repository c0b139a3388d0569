"""The built page in a headless Chromium: it decodes what Python decodes, and says what is wrong with the rest."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from s2lic.codec import Codec
from s2lic.container.boxes import pack, unpack
from s2lic.images.metadata import EXIF_MARK, with_metadata
from s2lic.images.profile import D65, made
from s2lic.weights import manifest
from scripts.browser import chromium, find
from tests.frozen import FOLDER, MODEL, codec, picture
from tests.web.project import install, missing, run
from tests.web.samples import GOLDEN, write_model
from tests.web.serving import served

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

WHERE = "no chromium and chromedriver here; Debian has them: apt-get install chromium chromium-driver"
DECODE = """
const [path, done] = arguments;
import("./s2lic.js").then(async ({ decode }) => {
    const image = await decode(await (await fetch(path)).arrayBuffer());
    let text = "";
    for (let at = 0; at < image.data.length; at += 32768) {
        text += String.fromCharCode(...image.data.subarray(at, at + 32768));
    }
    done([image.width, image.height, btoa(text)]);
}).catch(error => done([error.name, error.message]));
"""
SHOWN = "return document.querySelectorAll('#pictures canvas:not(.original)').length"

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with the frozen model and the shipped default, and files to decode."""
    install()
    folder = tmp_path_factory.mktemp("site")
    run("npm", "run", "--silent", "build", "--", str(folder))
    write_model(MODEL, folder / "models")
    write_model(manifest.default().path, folder / "models")
    for path in (*GOLDEN.glob("*.s2lic"), FOLDER / "corrupt" / "flipped-bit.s2lic"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture(scope="module", params=[False, True], ids=["one thread", "threads"])
def browser(request: pytest.FixtureRequest, site: Path) -> Iterator[Chrome]:
    """The page from a plain static server, and from one that allows threads."""
    found = find()
    if found is None:
        missing(WHERE)
        return
    with served(site, request.param) as address, chromium(*found) as running:
        running.set_script_timeout(300)
        running.get(address)
        assert running.execute_script("return crossOriginIsolated") == request.param
        yield running


@pytest.fixture(autouse=True)
def quiet_console(browser: Chrome) -> Iterator[None]:
    """Every test also says that the page wrote nothing to its console."""
    yield
    assert browser.get_log("browser") == []


def decoded(browser: Chrome, name: str) -> NDArray[np.int16]:
    """The pixels (H, W, 4) that the module gives for a file of the site."""
    found = browser.execute_async_script(DECODE, name)
    assert len(found) == 3, found
    width, height, data = found
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4).astype(np.int16)


def wait(browser: Chrome, script: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 120).until(lambda driver: driver.execute_script(script))


def put(browser: Chrome, *paths: Path) -> None:
    browser.find_element("id", "files").send_keys("\n".join(map(str, paths)))


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.s2lic")))
def test_a_golden_file_decodes_to_pixels_within_one_level(browser: Chrome, name: str) -> None:
    expected = np.asarray(codec().decode((GOLDEN / f"{name}.s2lic").read_bytes()).convert("RGBA"), np.int16)
    assert np.abs(decoded(browser, f"{name}.s2lic") - expected).max() <= 1


def test_a_picture_of_the_shipped_model_decodes_within_one_level(browser: Chrome, site: Path) -> None:
    shipped = Codec(precision="float32")
    for quality in (5, 50, 95):
        data = shipped.encode(picture("portrait", size=(150, 100)), quality)
        (site / "shipped.s2lic").write_bytes(data)
        expected = np.asarray(shipped.decode(data).convert("RGBA"), np.int16)
        assert np.abs(decoded(browser, f"shipped.s2lic?{quality}") - expected).max() <= 1


def test_a_damaged_file_rejects_with_its_error(browser: Chrome) -> None:
    name, message = browser.execute_async_script(DECODE, "flipped-bit.s2lic")
    assert name == "FileChecksumError"
    assert "damaged" in message


def test_a_picture_is_turned_as_its_exif_asks(browser: Chrome, site: Path) -> None:
    image, tags = picture("portrait", size=(96, 64)), Image.Exif()
    tags[ExifTags.Base.Orientation] = 6
    plain = unpack(codec().encode(image, 50))
    data = pack(replace(plain, extras={"exif": tags.tobytes().removeprefix(EXIF_MARK)}))
    (site / "turned.s2lic").write_bytes(data)
    expected = codec().decode(data).transpose(Image.Transpose.ROTATE_270).convert("RGBA")
    assert np.abs(decoded(browser, "turned.s2lic") - np.asarray(expected, np.int16)).max() <= 1


def test_colours_of_a_profile_become_srgb(browser: Chrome, site: Path) -> None:
    profile = made("wide", ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), D65), None, False)
    data = codec().encode(with_metadata(picture("portrait", size=(96, 64)), {"icc_profile": profile}), 95)
    (site / "wide.s2lic").write_bytes(data)
    stored, srgb = codec().decode(data), ImageCms.createProfile("sRGB")
    expected = ImageCms.profileToProfile(stored, io.BytesIO(profile), srgb)
    assert expected is not None
    difference = np.abs(decoded(browser, "wide.s2lic")[..., :3] - np.asarray(expected, np.int16))
    assert difference.max() <= 3
    assert np.abs(np.asarray(expected, np.int16) - np.asarray(stored, np.int16)).max() > 3


def test_the_page_shows_a_picture_with_its_figures_and_compares_it(browser: Chrome) -> None:
    browser.refresh()
    put(browser, GOLDEN / "portrait-50.s2lic")
    wait(browser, f"{SHOWN} === 1")
    figures = browser.find_element("css selector", "dl").text
    rate = 8 * (GOLDEN / "portrait-50.s2lic").stat().st_size / (160 * 120)
    for words in ("160 × 120", "839 bytes", f"{rate:.3f} bits per pixel", "Quality\n50", "3", " s, "):
        assert words in figures
    put(browser, GOLDEN / "portrait-50.png")
    wait(browser, "return document.querySelector('.original') !== null")
    line = browser.find_element("css selector", ".slider input")
    assert line.get_attribute("aria-label")
    split = "return document.querySelector('.stage').style.getPropertyValue('--split')"
    assert browser.execute_script(split) == "50%"
    line.send_keys("\ue012")  # the left arrow
    assert browser.execute_script(split) == "49%"


def test_the_page_names_the_error_of_a_damaged_file(browser: Chrome) -> None:
    put(browser, FOLDER / "corrupt" / "flipped-bit.s2lic")
    wait(browser, "return document.querySelector('.wrong') !== null")
    assert browser.find_element("css selector", ".wrong").text.startswith("FileChecksumError: the file is damaged")


def test_the_element_shows_a_picture_and_its_alternative_text(browser: Chrome) -> None:
    found = browser.execute_async_script(
        """const done = arguments[0], image = document.createElement("s2lic-img");
        image.setAttribute("alt", "a portrait");
        image.addEventListener("load", () => {
            const canvas = image.shadowRoot.querySelector("canvas");
            done([image.ariaLabel, image.getAttribute("role"), canvas.width, canvas.height]);
        });
        image.addEventListener("error", event => done([String(event.detail)]));
        image.setAttribute("src", "portrait-50.s2lic"); document.body.append(image);"""
    )
    assert found == ["a portrait", "img", 160, 120]


def test_nothing_is_fetched_from_elsewhere(browser: Chrome) -> None:
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    home = browser.execute_script("return location.origin")
    assert [name for name in fetched if not name.startswith((home, "data:", "blob:"))] == []


def test_the_narrow_page_is_no_wider_than_the_screen(browser: Chrome) -> None:
    browser.set_window_size(500, 900)
    assert browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth") <= 0
    browser.set_window_size(1100, 900)
