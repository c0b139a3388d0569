"""An output appears complete or not at all, and never over something unasked."""

from __future__ import annotations

import errno
import io
import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from s2lic import files
from s2lic.errors import (
    FolderGoneError,
    InputMissingError,
    InputTooLongError,
    OutputExistsError,
    OutputPlaceError,
    OutputUnwritableError,
)
from s2lic.files import (
    begins_with,
    check_output,
    descriptor_of,
    is_folder,
    make_folder,
    read_bytes,
    read_open,
    write_atomically,
)


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=r"absent\.png"):
        read_bytes(tmp_path / "absent.png")


def test_a_folder_is_no_input(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError):
        read_bytes(tmp_path)


def test_a_device_is_no_input() -> None:
    with pytest.raises(InputMissingError, match="cannot read /dev/zero: it is a device"):
        read_bytes("/dev/zero")


def test_an_open_file_is_read_as_far_as_a_picture_within_the_limit_can_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BYTES_BESIDE", 5)
    monkeypatch.setattr(files, "CHUNK", 7)
    data = bytes(range(3 * 16 + 5))
    assert read_open(io.BytesIO(data), "stdin", 3) == data
    with pytest.raises(InputTooLongError, match=r"stdin gives more than 53 bytes.*--max-pixels"):
        read_open(io.BytesIO(data + b"x"), "stdin", 3)
    assert read_open(io.BytesIO(data + b"x"), "stdin", None) == data + b"x"


def test_a_pipe_by_name_that_never_ends_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BYTES_BESIDE", 2**17)
    os.mkfifo(tmp_path / "pipe")
    endless = subprocess.Popen(["sh", "-c", 'cat /dev/zero >"$0"', str(tmp_path / "pipe")])
    with endless, pytest.raises(InputTooLongError, match="pipe gives more than"):
        read_bytes(tmp_path / "pipe", max_pixels=1)


def test_a_pipe_begins_with_nothing_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not begins_with(tmp_path / "pipe", b"")
    (tmp_path / "file").write_bytes(b"magic and more")
    assert begins_with(tmp_path / "file", b"magic")


def test_an_empty_name_and_one_that_is_too_long_are_no_folder() -> None:
    assert is_folder(".")
    assert not is_folder("")
    assert not is_folder("a" * 5000)


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOENT, "the name"),
        (errno.EACCES, "permissions"),
        (errno.EISDIR, "a file in it"),
        (errno.ENOTDIR, "the name"),
    ],
)
def test_an_input_that_cannot_be_read_is_told_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, mend: str
) -> None:
    def refuse(_: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # permissions do not keep root out
    with pytest.raises(InputMissingError, match=mend):
        read_bytes(tmp_path / "a.png")


def test_the_data_is_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.bin", b"data")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.bin", b"data")]


def test_the_users_mask_decides_who_may_read(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a.bin", b"data")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o640


def test_an_existing_output_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")
    with pytest.raises(OutputExistsError, match="--force"):
        write_atomically(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"old"


def test_an_existing_output_is_replaced_by_force(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")
    write_atomically(tmp_path / "a.bin", b"new", force=True)
    assert (tmp_path / "a.bin").read_bytes() == b"new"


@pytest.mark.parametrize(("owner", "failing"), [(os, "fsync"), (Path, "replace")], ids=["sync", "rename"])
def test_a_failure_keeps_the_old_file_and_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, failing: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "a.bin").write_bytes(b"old")
    monkeypatch.setattr(owner, failing, full)
    with pytest.raises(OutputUnwritableError, match="No space left"):
        write_atomically(tmp_path / "a.bin", b"new", force=True)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.bin", b"old")]


def test_an_interrupt_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a.bin", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.bin").write_bytes(b"old")
    (tmp_path / "link.bin").symlink_to("real.bin")
    write_atomically(tmp_path / "link.bin", b"new", force=True)
    assert (tmp_path / "link.bin").is_symlink()
    assert (tmp_path / "real.bin").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["", "absent/a.bin"], ids=["folder", "no folder"])
def test_an_output_that_cannot_be_is_refused_early(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputPlaceError):
        check_output(tmp_path / name, force=True)


def test_a_folder_where_a_file_is_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"mine")
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(OutputPlaceError, match="a file is in its way"):
            make_folder(path)
    assert (tmp_path / "a").read_bytes() == b"mine"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755], ids=oct)
def test_a_replaced_file_keeps_its_rights(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    path.chmod(mode)
    before = os.umask(0o022)
    try:
        write_atomically(path, b"new", force=True)
    finally:
        os.umask(before)
    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (mode, b"new")


def test_nobody_else_can_read_a_private_file_while_it_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def look(number: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(number).st_mode))

    (tmp_path / "a.bin").write_bytes(b"old")
    (tmp_path / "a.bin").chmod(0o600)
    monkeypatch.setattr(os, "fsync", look)
    write_atomically(tmp_path / "a.bin", b"new", force=True)
    assert seen == [0o600]


def test_the_rights_of_what_a_link_leads_to_are_kept(tmp_path: Path) -> None:
    (tmp_path / "real.bin").write_bytes(b"old")
    (tmp_path / "real.bin").chmod(0o600)
    (tmp_path / "link.bin").symlink_to("real.bin")
    write_atomically(tmp_path / "link.bin", b"new", force=True)
    assert stat.S_IMODE((tmp_path / "real.bin").stat().st_mode) == 0o600


@pytest.mark.parametrize("form", ["/dev/fd/{}", "/proc/self/fd/{}", "/proc/{pid}/fd/{}", "link"])
def test_an_open_file_by_its_number_gets_the_bytes_where_it_stands(tmp_path: Path, form: str) -> None:
    (tmp_path / "log").write_bytes(b"before ")
    with (tmp_path / "log").open("ab") as log:
        path = form.format(log.fileno(), pid=os.getpid())
        if form == "link":
            (tmp_path / "link").symlink_to(f"/dev/fd/{log.fileno()}")
            path = str(tmp_path / "link")
        assert descriptor_of(path) == log.fileno()
        write_atomically(path, b"data")
    assert (tmp_path / "log").read_bytes() == b"before data"


@pytest.mark.parametrize("path", ["a.bin", "/dev/null", "/proc/1/fd/1", "/dev/fd", "", "/dev/fd/x"])
def test_other_paths_are_no_open_file(path: str) -> None:
    assert descriptor_of(path) is None


def test_a_pipe_and_a_socket_by_number_get_the_bytes() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as pipe, os.fdopen(writer, "wb") as end:
        write_atomically(f"/dev/fd/{end.fileno()}", b"data")
        end.close()
        assert pipe.read() == b"data"
    one, other = socket.socketpair()
    with one, other:
        write_atomically(f"/dev/fd/{one.fileno()}", b"data")
        assert other.recv(9) == b"data"


def test_a_number_that_is_not_open_is_told() -> None:
    with pytest.raises(OutputUnwritableError, match="Bad file descriptor"):
        check_output("/dev/fd/987")


@pytest.mark.parametrize("names", [["a"], ["a", "b"]], ids=["itself", "two"])
def test_links_in_a_circle_are_told_before_any_work(tmp_path: Path, names: list[str]) -> None:
    for name, target in zip(names, [*names[1:], names[0]], strict=True):
        (tmp_path / name).symlink_to(target)
    for write in (check_output, lambda path: write_atomically(path, b"data", force=True)):
        with pytest.raises(OutputUnwritableError, match="symbolic links"):
            write(tmp_path / "a")


def test_a_dangling_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", b"data")
    assert (tmp_path / "real").read_bytes() == b"data"


def test_a_folder_that_was_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for name in ("a.bin", "b/a.bin"):
        with pytest.raises(FolderGoneError, match="current folder was removed"):
            write_atomically(name, b"data")
    write_atomically(tmp_path / "a.bin", b"data")
