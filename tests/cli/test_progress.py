"""What someone at a terminal sees of long work, and nobody else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from s2lic.cli.progress import progress
from s2lic.cli.streams import print_note
from s2lic.container.boxes import unpack
from tests.cli.test_batch import Run
from tests.frozen import MODEL, picture

WIPED = "\r"  # and what clears the line, which is left out where stderr is no terminal


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2lic.cli.progress.stderr_is_watched", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.mark.usefixtures("watched")
def test_a_line_becomes_a_bar_once_the_work_tells_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("work on [a]\n", quiet=False) as done:
        assert capsys.readouterr().err == "work on [a]\\n ..."
        done(2, 5)
    said = capsys.readouterr().err
    assert said.startswith(WIPED)
    assert "work on [a]\\n" in said
    assert "2/5" in said


@pytest.mark.usefixtures("watched")
def test_a_line_is_wiped_also_where_the_work_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), progress("work", quiet=False):
        raise ZeroDivisionError
    assert capsys.readouterr().err == f"work ...{WIPED}"


@pytest.mark.parametrize("quiet", [False, True])
def test_nothing_shows_where_nobody_looks_or_wants_to(
    quiet: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: quiet)
    with progress("work", quiet) as done:
        done(1, 2)
    assert capsys.readouterr().err == ""


def test_where_stderr_is_closed_nothing_goes_to_stdout_instead(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with progress("work", quiet=False) as done:
        done(1, 2)
        print_note("a note", quiet=False)
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("jobs", [1, 2])
def test_the_tiles_of_a_picture_are_counted_and_its_bytes_are_those_without_a_bar(run: Run, jobs: int) -> None:
    picture("portrait", size=(576, 256)).save("img.png")
    words = ("encode", "img.png", "-e", 0, "--model", MODEL, "--tile", 256, "-j", jobs)
    coded = run(*words, "-o", "a.bin").err
    assert "encoding img.png ..." in coded
    assert "3/3" in coded
    assert "3/3" in run("decode", "a.bin", "-o", "a.png", "--model", MODEL, "-j", jobs).err
    assert run(*words, "-o", "b.bin", "--quiet").err == ""
    assert Path("a.bin").read_bytes() == Path("b.bin").read_bytes()
    assert unpack(Path("a.bin").read_bytes()).tiles
