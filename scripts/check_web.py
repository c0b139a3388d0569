"""Decodes images of a folder in Chromium, and compares with torch.

    python -m scripts.check_web PICTURES [--count 6] [--threads]

Each image is encoded with the default weights at qualities 20, 50 and 80. A file fails if the browser rejects it, which
includes a wrong symbol checksum, or if a sample differs from torch's by more than one level.
"""

from __future__ import annotations

import argparse
import base64
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from s2lic.codec import Codec
from s2lic.images.names import is_picture_name
from s2lic.weights import manifest
from scripts.browser import chromium, find
from tests.web.project import run
from tests.web.samples import write_model
from tests.web.serving import served

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

QUALITIES = (20, 50, 80)
DECODE = """
const [path, done] = arguments;
import("./s2lic.js").then(async ({ decodeWithFacts }) => {
    const { image, facts } = await decodeWithFacts(await (await fetch(path)).arrayBuffer());
    const { data } = image;
    let text = "";
    for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
    done([facts.decodeMs, facts.threads, facts.loadMs, btoa(text)]);
}).catch(error => done([`${error.name}: ${error.message}`]));
"""


def check(browser: Chrome, codec: Codec, path: Path, name: str) -> tuple[str, float]:
    """A line about one file, and the seconds, infinite for a failure."""
    found = browser.execute_async_script(DECODE, name)
    if len(found) == 1:
        return f"FAILED {name}: {found[0]}", float("inf")
    milliseconds, threads, load, text = found
    expected = np.asarray(codec.decode(path.read_bytes()).convert("RGBA"), np.int16)
    samples = np.frombuffer(base64.b64decode(text), np.uint8).reshape(expected.shape).astype(np.int16)
    most = int(np.abs(samples - expected).max())
    line = f"{name}: {milliseconds / 1000:.2f} s, {threads} threads, loaded in {load / 1000:.2f} s, {most} levels"
    return line, milliseconds / 1000 if most <= 1 else float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--threads", action="store_true", help="serve with the headers that allow threads")
    words = parser.parse_args()
    codec, found = Codec(precision="float32"), find()
    assert found is not None, "Chromium and its driver are needed"
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), words.threads) as address:
        site = Path(folder)
        run("npm", "run", "--silent", "build", "--", folder)
        write_model(manifest.default().path, site / "models")
        seconds = []
        with chromium(*found) as browser:
            browser.set_script_timeout(300)
            browser.get(address)
            for picture in sorted(filter(is_picture_name, words.pictures.iterdir()))[: words.count]:
                for quality in QUALITIES:
                    name = f"{picture.stem}-{quality}.s2lic"
                    (site / name).write_bytes(codec.encode(picture, quality))
                    line, took = check(browser, codec, site / name, name)
                    print(line, flush=True)
                    seconds.append(took)
    failures = sum(took == float("inf") for took in seconds)
    print(f"{len(seconds)} files, {failures} failures, median {statistics.median(seconds):.2f} s")


if __name__ == "__main__":
    main()
