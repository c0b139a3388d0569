"""Codecs that other packages add by an entry point."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2lic.errors import UsageError
from s2lic.eval import codecs

MODULE = """
from dataclasses import replace

from s2lic.eval.codecs.pillow_codecs import JPEG

CODEC = replace(JPEG, name="other", label="My JPEG")
NUMBER = 7
"""
POINTS = "[s2lic.codecs]\nmine = my_codecs:CODEC\nseven = my_codecs:NUMBER\nlost = my_codecs:NOTHING\n"


@pytest.fixture
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with entry points, as pip leaves one."""
    folder = tmp_path / "my_codecs-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: my-codecs\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(POINTS)
    (tmp_path / "my_codecs.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("_installed")
def test_a_codec_of_a_package_goes_by_the_name_of_its_entry_point() -> None:
    row = codecs.row("mine")
    assert (row.name, row.label, row.extension) == ("mine", "My JPEG", ".jpg")
    assert {"jpeg", "mine"} < set(codecs.names())


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("seven", "my_codecs:NUMBER is a int, not a CodecRow"),
        ("lost", "'lost' cannot be loaded from my_codecs:NOTHING"),
    ],
)
def test_an_entry_point_without_a_codec_is_named(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        codecs.row(name)


@pytest.mark.usefixtures("_installed")
def test_the_message_for_an_unknown_codec_lists_them_too() -> None:
    with pytest.raises(UsageError, match=r"there are s2lic, .*compressai, lost, mine, seven, and --codec"):
        codecs.row("nonsense")
