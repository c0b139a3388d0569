"""Every failure is one line on stderr and an exit code: 2 for the caller, 1 for the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from s2lic import __version__, files

from .conftest import FakeCodec, Result

Run = Callable[..., Result]
pytestmark = pytest.mark.usefixtures("fake_codec")


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version").out.decode() == f"s2lic {__version__}\n"


def test_help_lists_the_commands(run: Run) -> None:
    text = run("--help").out.decode()
    assert all(name in text for name in ("encode", "decode", "info", "demo"))


@pytest.mark.parametrize(
    "words",
    [
        ("encode",),
        ("encode", "photo.png", "-q", "101"),
        ("encode", "photo.png", "-q", "-1"),
        ("encode", "photo.png", "-q", "nan"),
        ("encode", "photo.png", "-q", "high"),
        ("encode", "photo.png", "--device", "tpu"),
        ("encode", "missing.png"),
        ("decode", "missing.s2lic"),
        ("info", "missing.s2lic"),
        ("demo", "photo.png", "--qualities", "a,b"),
        ("demo", "photo.png", "--qualities", "5,101"),
        ("demo", "photo.png", "--qualities", "nan"),
        ("nonsense",),
    ],
    ids=" ".join,
)
def test_the_callers_faults_exit_with_2(run: Run, photo: Path, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert (result.code, result.out) == (2, b"")
    assert result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("command", ["decode", "info"])
def test_a_file_that_is_not_ours_exits_with_1_and_one_line(run: Run, photo: Path, command: str) -> None:
    result = run(command, photo, *(["-o", "x.png"] if command == "decode" else []))
    assert result.code == 1
    assert result.err == (
        "s2lic: this is not an s2lic file: it does not begin with the magic bytes; s2lic encode makes one\n"
    )


@pytest.mark.parametrize("words", [("encode", "-", "-o", "x"), ("decode", "-", "-o", "x.png"), ("info", "-")])
def test_a_stdin_that_never_ends_exits_with_1_and_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(files, "BYTES_A_PIXEL", 0)
    monkeypatch.setattr(files, "BYTES_BESIDE", 10)
    result = run(*words, stdin=bytes(11))
    assert result.code == 1
    assert "gives more than 10 bytes" in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("words", [("encode", "/dev/zero", "-o", "x"), ("decode", "/dev/zero"), ("info", "/dev/zero")])
def test_a_device_exits_with_2_and_one_line(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.code == 2
    assert "it is a device" in result.err
    assert result.err.count("\n") == 1


def test_what_is_not_a_picture_exits_with_1(run: Run) -> None:
    Path("words.txt").write_text("no picture")
    result = run("encode", "words.txt")
    assert result.code == 1
    assert result.err.startswith("s2lic: words.txt is not a picture")
    assert result.err.count("\n") == 1


def test_a_folder_that_is_not_there_exits_with_2_before_the_work(run: Run, photo: Path) -> None:
    result = run("encode", photo, "-o", "nowhere/a.bin")
    assert result.code == 2
    assert "nowhere" in result.err


def test_verbose_shows_the_traceback(run: Run, photo: Path) -> None:
    result = run("info", photo, "-v")
    assert result.code == 1
    assert "Traceback" in result.err
    assert "NotS2licError" in result.err


def test_a_fault_of_ours_is_not_dressed_up(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: FakeCodec, image: object, quality: float, effort: int) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(FakeCodec, "encode", broken)
    with pytest.raises(ZeroDivisionError):
        run("encode", photo)


@pytest.mark.usefixtures("default_signals")
def test_an_interrupt_leaves_no_output_and_no_traceback(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: FakeCodec, image: object, quality: float, effort: int) -> bytes:
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the signal did not arrive")

    monkeypatch.setattr(FakeCodec, "encode", interrupted)
    result = run("encode", photo)
    assert result.code == 130
    assert "Traceback" not in result.err
    assert sorted(path.name for path in photo.parent.iterdir()) == ["photo.png"]


def test_a_reader_that_leaves_early_causes_no_traceback(photo: Path) -> None:
    data = FakeCodec().encode(Image.effect_noise((600, 600), 80))
    (photo.parent / "a.s2lic").write_bytes(data)
    script = (
        "import sys, types\n"
        "from tests.cli.conftest import FakeCodec\n"
        "sys.modules['s2lic.codec'] = fake = types.ModuleType('s2lic.codec')\n"
        "fake.Codec = FakeCodec\n"
        "from s2lic.cli import main\n"
        "main(['decode', sys.argv[1], '-o', '-'])\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [sys.executable, "-c", script, str(photo.parent / "a.s2lic")],
        stdout=writer,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    os.close(writer)
    assert process.returncode == 1
    assert process.stderr == b""
