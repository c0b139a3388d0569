"""What a terminal, a closed stream or a pipe gets to see, whatever it is."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from .test_stops import ROOT, SCRIPT

ESCAPE = "\x1b"


def at_a_terminal(folder: Path, *words: object, columns: int = 80, **environment: str) -> str:
    """What appears on a terminal of so many columns."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.environ.update(environment, PYTHONPATH=str(ROOT))
        # The size is set by then; readline, which pytest imports, has put the former one into the environment.
        script = SCRIPT.format(before="time.sleep(0.3); os.environ.pop('COLUMNS', None)")
        os.execv(sys.executable, [sys.executable, "-c", script, *map(str, words)])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    seen = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0, seen
    return seen.decode()


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[bytes]:
    """A line for bash in which S2LIC is the command."""
    command = shlex.join([sys.executable, "-c", SCRIPT.format(before="import os")])
    return subprocess.run(
        ["bash", "-c", line.replace("S2LIC", command)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
@pytest.mark.parametrize("many", [False, True])
def test_a_terminal_that_cannot_erase_gets_no_escape_codes(photo: Path, term: str, many: bool) -> None:
    (photo.parent / "b.png").write_bytes(photo.read_bytes())
    words = ("encode", "photo.png", *(["b.png"] if many else []), "--outdir", "out")
    seen = at_a_terminal(photo.parent, *words, TERM=term)
    assert ESCAPE not in seen
    assert "photo.s2lic" in seen


def test_another_terminal_gets_a_line_that_is_erased(photo: Path) -> None:
    assert f"\r{ESCAPE}[K" in at_a_terminal(photo.parent, "encode", "photo.png", "-o", "a.bin", TERM="xterm")


@pytest.mark.parametrize("columns", [20, 30, 40, 60, 80, 200])
def test_the_numbers_of_the_summary_are_there_at_any_width(photo: Path, columns: int) -> None:
    (photo.parent / "b.png").write_bytes(photo.read_bytes())
    seen = at_a_terminal(photo.parent, "encode", "photo.png", "b.png", "--outdir", "out", columns=columns, TERM="xterm")
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", seen)
    table = re.sub(r"[^\w.]+", " ", "".join(line for line in plain.splitlines() if line.startswith(("│", "┃"))))
    size = sum(path.stat().st_size for path in (photo.parent / "out").iterdir())
    for word in ("done", "skipped", "failed", "megapixels", "bytes", "bpp", "seconds", f"{size}", "0.002", "2", "0"):
        assert re.search(rf"(?<![\w.]){word}(?![\w.])", table), (word, table)
    assert max(len(line) for line in plain.splitlines() if line.startswith(("│", "┃"))) <= columns


@pytest.mark.parametrize("option", ["", " -v"])
def test_with_stderr_closed_stdout_has_json_alone(photo: Path, option: str) -> None:
    done = shell(photo.parent, f"S2LIC info photo.png absent.s2lic --json{option} 2>&-")
    assert [row["status"] for row in map(json.loads, done.stdout.splitlines())] == ["failed", "failed"]
    assert done.returncode == 1


@pytest.mark.parametrize("closed", ["0", "1", "2", "0 1 2"])
def test_a_file_never_takes_the_number_of_a_closed_stream(photo: Path, closed: str) -> None:
    closing = " ".join(f"{number}>&-" for number in closed.split())
    before = shell(photo.parent, "S2LIC encode photo.png -o a.bin")
    assert before.returncode == 0
    assert shell(photo.parent, f"S2LIC encode photo.png absent.png --outdir out {closing}").returncode == 2
    assert (photo.parent / "out" / "photo.s2lic").read_bytes() == (photo.parent / "a.bin").read_bytes()


@pytest.mark.parametrize(
    "line",
    [
        "S2LIC encode photo.png -o /dev/stdout | cat > b.bin",
        "S2LIC encode photo.png -o /dev/stdout > b.bin",
        "S2LIC encode photo.png -o /proc/self/fd/1 | cat > b.bin",
        "S2LIC encode photo.png -o /dev/fd/3 3> b.bin",
        "S2LIC encode photo.png -o >(cat > b.bin); sleep 0.5",
        "S2LIC encode - -o - < photo.png > b.bin",
        "S2LIC encode /dev/stdin -o b.bin < photo.png",
        "cat photo.png | S2LIC encode /dev/stdin -o b.bin",
        "S2LIC encode <(cat photo.png) -o b.bin",
    ],
)
def test_the_bytes_arrive_at_every_kind_of_stream(photo: Path, line: str) -> None:
    assert shell(photo.parent, "S2LIC encode photo.png -o a.bin").returncode == 0
    done = shell(photo.parent, line)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert (photo.parent / "b.bin").read_bytes() == (photo.parent / "a.bin").read_bytes()


def test_a_decoded_picture_goes_to_an_open_file_too(photo: Path) -> None:
    line = "S2LIC encode photo.png -o a.bin && S2LIC decode a.bin -o /dev/stdout --format bmp | head -c 2"
    assert shell(photo.parent, line).stdout == b"BM"
    assert b"--json prints on stdout" in shell(photo.parent, "S2LIC decode a.bin -o /dev/stdout --json").stderr


def test_a_log_is_not_cut_by_what_is_written_behind_it(photo: Path) -> None:
    (photo.parent / "log").write_bytes(b"before ")
    assert shell(photo.parent, "S2LIC encode photo.png -o /dev/stdout >> log").returncode == 0
    assert (photo.parent / "log").read_bytes().startswith(b"before \xb7S2L")


def test_links_in_a_circle_fail_alone(photo: Path) -> None:
    folder = photo.parent / "folder"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.png").write_bytes(photo.read_bytes())
    (photo.parent / "out").mkdir()
    (photo.parent / "out" / "b.s2lic").symlink_to("b.s2lic")
    done = shell(photo.parent, "S2LIC encode folder --outdir out")
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"symbolic links" in done.stderr
    assert {path.name for path in (photo.parent / "out").iterdir() if path.is_file()} == {"a.s2lic", "c.s2lic"}


@pytest.mark.parametrize("command", ["encode a.png -o b.bin", "decode a.bin", "info a.bin", "encode a.png --outdir x"])
def test_a_current_folder_that_was_removed_is_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "gone").mkdir()
    done = shell(tmp_path, f"cd gone; rmdir ../gone; S2LIC {command}")
    assert done.returncode == 2
    assert (done.stderr.count(b"\n"), done.stderr[:7]) == (1, b"s2lic: ")


@pytest.mark.parametrize("block", [b"II*\0\xff\xff\xff\x7f", b"MM\0*", b"II*\0\x08\0\0\0\xff\xff"], ids=str)
def test_warnings_of_libraries_are_not_shown(tmp_path: Path, block: bytes) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=b"Exif\0\0" + block)
    done = shell(tmp_path, "S2LIC encode a.jpg -o a.bin && S2LIC decode a.bin -o b.png")
    assert (done.returncode, b"Warning" in done.stderr, b"site-packages" in done.stderr) == (0, False, False)
