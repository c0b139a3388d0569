"""Golden streams: yesterday's files decode to yesterday's symbols and pictures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from s2lic.container.boxes import read_header
from scripts.golden import CASES, FOLDER, Case, facts, manifest
from tests.frozen import codec

each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@each
def test_a_golden_file_is_the_one_in_the_manifest(case: Case) -> None:
    assert facts((FOLDER / f"{case.name}.s2lic").read_bytes()) == manifest()[case.name]


@each
def test_a_golden_file_decodes_to_its_picture(case: Case) -> None:
    data = (FOLDER / f"{case.name}.s2lic").read_bytes()
    decoded = codec().decode(data)  # the checksum of the symbols is tested within
    with Image.open(FOLDER / f"{case.name}.png") as expected:
        assert (decoded.mode, decoded.size) == (expected.mode, expected.size)
        assert abs(np.asarray(decoded, int) - np.asarray(expected, int)).max() <= 1


@each
def test_encoding_its_source_gives_the_golden_file_again(case: Case) -> None:
    data = codec().encode(case.source(), case.quality, roi=case.roi, effort=0)
    assert read_header(data).symbol_crc32 == manifest()[case.name]["symbol_crc32"]
    assert data == (FOLDER / f"{case.name}.s2lic").read_bytes()


def test_the_folder_holds_the_cases_and_nothing_else() -> None:
    names = [case.name for case in CASES]
    expected = {"manifest.json", *(f"{name}.s2lic" for name in names), *(f"{name}.png" for name in names)}
    assert {path.name for path in FOLDER.iterdir()} == expected
    assert list(manifest()) == names
    assert {case.mode for case in CASES} == {"RGB", "L"}
