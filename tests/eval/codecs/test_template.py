"""Codecs that are command lines."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2lic.errors import CodecFailedError, ProgramFailedError, UsageError
from s2lic.eval.codecs import template
from s2lic.eval.codecs.base import Coder
from s2lic.eval.codecs.template import without_folders
from tests.frozen import picture

IMAGE = picture("portrait", size=(33, 19))
# Pillow in a program: what it reads is the file of its first argument, what it writes that of its second.
JPEG = "from PIL import Image; import sys; Image.open(sys.argv[1]).save(sys.argv[2], 'JPEG', quality=int(sys.argv[3]))"
# No picture, but the bytes of one behind others.
HIDDEN = "import sys; open(sys.argv[2], 'wb').write(b'hidden' + open(sys.argv[1], 'rb').read())"
FOUND = "import sys; open(sys.argv[2], 'wb').write(open(sys.argv[1], 'rb').read()[6:])"
FAILING = "import sys; print('Segment 7 is broken', file=sys.stderr); sys.exit(3)"

Program = Callable[[str, str], str]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Writes a program of Python; returns its path."""

    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, which every test leaves empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def opened(text: str) -> Coder:
    return template.ROW.open({"template": text})


def test_a_file_that_pillow_opens_needs_no_decoder(program: Program, temporary: Path) -> None:
    coder = opened(f"{program('cj', JPEG)} {{in}} {{out}}.jpg {{q}}")
    coarse, fine = (coder.encode(IMAGE, quality) for quality in (10, 90))
    assert len(coarse) < len(fine)
    assert np.array_equal(np.asarray(coder.decode(fine, IMAGE.size)), np.asarray(reopened(fine)))
    assert coder.extension == ".jpg"
    assert list(temporary.iterdir()) == []


def reopened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_any_other_file_goes_through_the_decoder(program: Program, temporary: Path) -> None:
    text = f"{program('hide', HIDDEN)} {{in}}.ppm {{out}} {{q}} :: {program('find', FOUND)} {{in}} {{out}}"
    coder = opened(text)
    data = coder.encode(IMAGE, 7)
    assert data.startswith(b"hiddenP6")
    assert np.array_equal(np.asarray(coder.decode(data, IMAGE.size)), np.asarray(IMAGE))
    assert list(temporary.iterdir()) == []


def test_a_program_sees_the_quality_as_it_was_given(program: Program) -> None:
    echo = program("echo", "import sys; open(sys.argv[2], 'w').write(' '.join(sys.argv[3:]))")
    coder = opened(f"{echo} {{in}} {{out}} --q={{q}} 'a word'")
    assert [coder.encode(IMAGE, quality) for quality in (50.0, 2.5)] == [b"--q=50 a word", b"--q=2.5 a word"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat {in} {out} {quality}", r"\{quality\} is unknown"),
        ("cat {in} {out}", r"\{q\} is missing"),
        ("cat {in} {out} {q} :: cat {in} {out} {q}", r"\{q\} is unknown"),
        ("cat {in} {out} {q} :: cat {in}", r"\{out\} is missing"),
        ("cat '{in} {out} {q}", "cannot be split into words"),
        ("no-such-program {in} {out} {q}", "there is no program no-such-program"),
        ("cat {in}.nothing {out} {q}", r"Pillow writes no \.nothing"),
    ],
)
def test_what_cannot_run_is_refused_before_it_runs(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        opened(text)


def test_a_command_that_fails_is_named_with_its_stderr(program: Program, temporary: Path) -> None:
    coder = opened(f"{program('fails', FAILING)} {{in}} {{out}} {{q}}")
    with pytest.raises(ProgramFailedError, match="fails ended with exit code 3; it said: Segment 7 is broken"):
        coder.encode(IMAGE, 50)
    assert list(temporary.iterdir()) == []


def test_a_file_that_pillow_cannot_open_asks_for_a_decoder(program: Program) -> None:
    coder = opened(f"{program('hide', HIDDEN)} {{in}} {{out}} {{q}}")
    with pytest.raises(CodecFailedError, match=r"what the encoder wrote.* :: djxl \{in\} \{out\}"):
        coder.decode(coder.encode(IMAGE, 50), IMAGE.size)


def test_another_program_or_other_words_are_another_codec(program: Program) -> None:
    text = f"{program('cj', JPEG)} {{in}} {{out}} {{q}}"
    found = {opened(text).identity, opened(f"{text} --more").identity}
    program("cj", f"{JPEG} # of another version")
    assert len({*found, opened(text).identity}) == 3
    assert opened(text).identity.startswith("cj {in} {out} {q}, programs ")


def test_the_folders_of_programs_are_left_out() -> None:
    text = "/opt/bin/cjxl {in} {out} -q {q} -m /a/b :: ./djxl {in} {out}"
    assert without_folders(text) == "cjxl {in} {out} -q {q} -m /a/b :: djxl {in} {out}"
