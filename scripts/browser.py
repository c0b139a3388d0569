"""A headless Chromium. `python -m scripts.browser PAGE.html IMAGE` writes a screenshot of a local page."""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# Allows root in containers, needs no display, and makes no network requests of its own.
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1100,900",
)
BROWSERS, DRIVERS = ("chromium", "chromium-browser", "google-chrome"), ("chromedriver",)


def find() -> tuple[str, str] | None:
    """The paths of the browser and its driver, or None if one is not installed."""
    browser, driver = (next(filter(None, map(shutil.which, names)), None) for names in (BROWSERS, DRIVERS))
    return None if browser is None or driver is None else (browser, driver)


@contextmanager
def chromium(browser: str, driver: str) -> Iterator[Chrome]:
    """A browser with an empty profile that records the console output of pages."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        running = webdriver.Chrome(options=options, service=Service(driver))
        try:
            yield running
        finally:
            running.quit()


def picture(page: Path, width: int, height: int | None) -> Image.Image:
    """A screenshot from the top of the page; of the whole page if no height is given.

    Raises SystemExit if there is no browser, or if the page writes to its console.
    """
    found = find()
    if found is None:
        raise SystemExit("no chromium and chromedriver here; Debian has them: apt-get install chromium chromium-driver")
    with chromium(*found) as running:
        running.get(page.resolve().as_uri())
        if said := running.get_log("browser"):
            raise SystemExit(f"{page} complains in the browser: {said}")
        running.set_window_size(width, height or running.execute_script("return document.body.scrollHeight") + 150)
        return Image.open(io.BytesIO(running.get_screenshot_as_png())).convert("RGB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--width", type=int, default=1100)
    parser.add_argument("--height", type=int, help="pixels from the top [default: the whole page]")
    words = parser.parse_args()
    picture(words.page, words.width, words.height).save(words.out)


if __name__ == "__main__":
    main()
