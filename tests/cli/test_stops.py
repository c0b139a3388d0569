"""Whatever stops a run from outside, no half of an output is left; a real process each."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("default_signals")

# A codec that needs no weights; "reached" is said when the partial file is there and full.
SCRIPT = """
import os, sys, time, types
from tests.cli.conftest import FakeCodec
sys.modules["s2lic.codec"] = fake = types.ModuleType("s2lic.codec")
fake.Codec = FakeCodec
from s2lic.cli import main
from s2lic import files

{before}
main(sys.argv[1:])
"""
HANGS = """
def hang(number):
    print("reached", flush=True)
    time.sleep(60)
os.fsync = hang
"""
FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
"""


def start(before: str, folder: Path, *words: object) -> subprocess.Popen[str]:
    script = SCRIPT.format(before=before)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=str,
)
@pytest.mark.parametrize("old", [None, b"old"], ids=["new output", "old output"])
def test_a_stop_in_the_middle_of_writing_leaves_the_folder_as_it_was(
    photo: Path, number: signal.Signals, code: int, old: bytes | None
) -> None:
    if old is not None:
        (photo.parent / "a.bin").write_bytes(old)
    before = {path.name: path.read_bytes() for path in photo.parent.iterdir()}
    with start(HANGS, photo.parent, "encode", photo, "-o", "a.bin", "--force") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reached\n"
        assert any(path.name.endswith(".part") for path in photo.parent.iterdir())
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in err
    assert {path.name: path.read_bytes() for path in photo.parent.iterdir()} == before


def test_a_stop_that_is_ignored_stays_so(photo: Path) -> None:
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    hangup = (
        "fsync = os.fsync\ndef hang_up(n):\n    os.kill(os.getpid(), signal.SIGHUP)\n    fsync(n)\nos.fsync = hang_up"
    )
    with start(f"{ignoring}\n{hangup}", photo.parent, "encode", photo, "-o", "a.bin") as process:
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert (photo.parent / "a.bin").is_file()


@pytest.mark.parametrize("command", ["encode", "decode"])
@pytest.mark.parametrize("old", [None, b"old"], ids=["new output", "old output"])
def test_no_room_for_the_output_is_told_and_leaves_the_folder_as_it_was(
    photo: Path, command: str, old: bytes | None
) -> None:
    with start("", photo.parent, "encode", photo, "-o", "b.bin") as process:
        process.communicate(timeout=30)
    source, target = {"encode": ("photo.png", "a.bin"), "decode": ("b.bin", "a.png")}[command]
    if old is not None:
        (photo.parent / target).write_bytes(old)
    before = {path.name: path.read_bytes() for path in photo.parent.iterdir()}
    with start(FULL, photo.parent, command, source, "-o", target, "--force") as process:
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err == f"s2lic: cannot write {target}: File too large; free some space, or name another place\n"
    assert {path.name: path.read_bytes() for path in photo.parent.iterdir()} == before


def test_a_disk_that_fills_up_fails_the_files_that_do_not_fit_and_no_other(photo: Path) -> None:
    folder = photo.parent / "photos"
    folder.mkdir()
    shutil.move(photo, folder / "large.png")
    Image.new("RGB", (2, 2)).save(folder / "small.png")
    with start(FULL.replace("100", "800"), photo.parent, "encode", "photos", "--outdir", "out", "-q", 95) as process:
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "out/large.s2lic: File too large" in err
    assert [path.name for path in (photo.parent / "out").iterdir()] == ["small.s2lic"]


@pytest.mark.parametrize("words", [("encode", "photo.png", "-o", "-"), ("encode", "photo.png", "--json")], ids=" ".join)
def test_no_room_behind_stdout_is_told(photo: Path, words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(before=""), *words],
            cwd=photo.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert process.returncode == 1
    assert process.stderr == "s2lic: cannot write to stdout: No space left on device\n"


@pytest.mark.parametrize(
    ("words", "closed", "code"), [(("photo.png", "-o", "-"), 1, 1), (("-", "-o", "x.s2lic"), 0, 2)], ids=str
)
def test_a_closed_end_of_a_pipe_is_told(photo: Path, words: tuple[str, ...], closed: int, code: int) -> None:
    script = SCRIPT.format(before="import os")
    process = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}>&-', "sh", sys.executable, "-c", script, "encode", *words],
        cwd=photo.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert process.returncode == code
    assert process.stderr.startswith("s2lic: ")
    assert "closed" in process.stderr
    assert process.stderr.count("\n") == 1


def test_two_writers_of_one_output_leave_a_whole_one(tmp_path: Path) -> None:
    """Whenever one looks, the file is one writer's or the other's, never a mixture or a part."""
    script = (
        "import sys; from s2lic.files import write_atomically\n"
        "for _ in range(40): write_atomically('a.bin', sys.argv[1].encode() * 300_000, force=True)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writers = [subprocess.Popen([sys.executable, "-c", script, word], cwd=tmp_path, env=environment) for word in "ab"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if (tmp_path / "a.bin").exists():
            data = (tmp_path / "a.bin").read_bytes()
            assert data in {b"a" * 300_000, b"b" * 300_000}
            seen.add(data[:1])
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen == {b"a", b"b"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
