"""Which files of a folder are inputs: regular ones of known formats; special files are never opened."""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from s2lic.images import names

from .conftest import Result

Run = Callable[..., Result]
pytestmark = pytest.mark.usefixtures("fake_codec")


@contextmanager
def special(kind: str, path: Path) -> Iterator[None]:
    """A file that keeps its reader waiting, or never ends."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to a pipe":
        os.mkfifo(path.parent / ".pipe")
        path.symlink_to(".pipe")
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        here = os.open(".", os.O_RDONLY)
        os.chdir(path.parent)  # the name of a socket has 107 bytes at most
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
            os.fchdir(here)
            os.close(here)
            yield
        return
    yield


@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "link to a device", "socket"])
@pytest.mark.parametrize("command", ["encode", "decode", "info"])
def test_special_files_in_a_folder_are_left_out(run: Run, photo: Path, command: str, kind: str) -> None:
    suffix = ".png" if command == "encode" else ".s2lic"
    folder = photo.parent / "folder"
    folder.mkdir()
    run("encode", photo, "-o", "folder/good.s2lic")
    photo.rename(folder / "good.png")
    with special(kind, folder / f"a{suffix}"):
        result = run(command, folder, *([] if command == "info" else ["--outdir", "out"]))
    assert result.code == 0
    assert f"a{suffix} (not a regular file)" in result.err
    if command != "info":
        assert [path.stem for path in Path("out").iterdir()] == ["good"]


def test_a_folder_of_special_files_alone_has_no_inputs(run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "a.png")
    result = run("encode", "folder", "--outdir", "out")
    assert (result.code, "a.png (not a regular file)" in result.err) == (2, True)


@pytest.mark.parametrize("target", ["absent.png", "a.png"], ids=["dangling", "loop"])
def test_a_link_to_nothing_fails_alone(run: Run, photo: Path, target: str) -> None:
    folder = photo.parent / "folder"
    folder.mkdir()
    photo.rename(folder / "good.png")
    (folder / "a.png").symlink_to(target)
    result = run("encode", folder, "--outdir", "out")
    assert result.code == 2
    assert "a.png" in result.err
    assert [path.name for path in Path("out").iterdir()] == ["good.s2lic"]


@pytest.mark.parametrize("name", ["clip.mpg", "table.h5", "page.eps", "page.pdf", "notes.txt", "shape.wmf", "sky.fits"])
def test_files_that_are_no_pictures_are_left_alone(run: Run, photo: Path, name: str) -> None:
    folder = photo.parent / "folder"
    folder.mkdir()
    photo.rename(folder / "good.png")
    (folder / name).write_bytes(b"\0\0\1\xb3")
    result = run("encode", folder, "--outdir", "out")
    assert result.code == 0
    assert name not in result.err


@pytest.mark.parametrize(
    ("name", "remedy"), [("a.HEIC", "s2lic[heif]"), ("a.jxl", "s2lic[jxl]"), ("a.nef", "develop"), ("a.dng", "develop")]
)
def test_pictures_that_cannot_be_read_here_are_counted(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch, name: str, remedy: str
) -> None:
    monkeypatch.setattr(names, "is_installed", lambda _: False)
    folder = photo.parent / "folder"
    folder.mkdir()
    photo.rename(folder / "good.png")
    (folder / name).write_bytes(b"\0")
    result = run("encode", folder, "--outdir", "out")
    assert result.code == 0
    assert f"1 {Path(name).suffix.lower()} (" in result.err
    assert remedy in result.err
    assert Path(name).suffix.lower() not in run("encode", folder, "--outdir", "out", "--force", "--quiet").err


def test_a_folder_of_unreadable_pictures_alone_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "is_installed", lambda _: False)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.heic").write_bytes(b"\0")
    result = run("encode", "folder", "--outdir", "out")
    assert (result.code, "1 .heic" in result.err) == (2, True)


@pytest.mark.parametrize(("suffix", "module"), [(".heic", "pillow_heif"), (".jxl", "pillow_jxl")])
def test_an_extra_makes_its_files_pictures(suffix: str, module: str) -> None:
    installed = importlib.util.find_spec(module) is not None
    assert names.is_installed(suffix) == installed
    assert names.is_picture_name(Path(f"a{suffix}")) == installed


def test_every_extension_of_pillow_that_is_listed_can_be_read() -> None:
    Image.init()
    known = {suffix for suffix, name in Image.EXTENSION.items() if name in Image.OPEN}
    assert names.PICTURES - known == {".mpo"}  # opened by its content, as a JPEG
