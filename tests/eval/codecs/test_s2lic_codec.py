"""Ours among the codecs that are measured."""

from __future__ import annotations

from pathlib import Path

from s2lic.eval import codecs
from s2lic.eval.codecs.s2lic_codec import PACKAGE, code_hash
from tests.frozen import MODEL


def test_the_identity_holds_the_code_of_the_package() -> None:
    assert (PACKAGE / "coding/search.py").is_file()
    assert f"code {code_hash(PACKAGE)}" in codecs.row("s2lic").open({"model": str(MODEL)}).identity


def test_other_code_in_any_folder_or_under_another_name_is_another_codec(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    found = {code_hash(tmp_path)}
    for name, text in (("a.py", "1"), ("inner/a.py", "1"), ("inner/a.py", "2"), ("b.py", "1")):
        (tmp_path / name).write_text(text)
        found.add(code_hash(tmp_path))
    assert len(found) == 5
    (tmp_path / "notes.txt").write_text("1")
    assert code_hash(tmp_path) in found
