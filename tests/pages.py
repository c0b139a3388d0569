"""The examples on the pages of documentation, and how they are run."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest
from PIL import Image

from s2lic.cli import main


def blocks(page: str) -> list[tuple[str, str]]:
    """The language and the text of each block of code, in the order of the page."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def run(line: str, *more: object) -> int:
    """One line of shell that calls s2lic, within this process, and words to put behind it."""
    program, *words = shlex.split(line, comments=True)
    assert program == "s2lic", f"the test runs no other program: {line}"
    with pytest.raises(SystemExit) as exit_info:
        main([*words, *map(str, more)])
    return int(exit_info.value.code or 0)


def waves(size: tuple[int, int]) -> Image.Image:
    """A smooth colour picture of width x height."""
    rows, cols = np.mgrid[: size[1], : size[0]]
    pixels = 127 + 100 * np.sin(np.stack([rows / 9, cols / 11, (rows + cols) / 23], axis=-1))
    return Image.fromarray(pixels.astype(np.uint8))
