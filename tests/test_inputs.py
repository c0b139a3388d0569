"""Whatever holds a picture is taken by `Codec.encode`; what holds none is the caller's fault, by name."""

from __future__ import annotations

import array
import io
import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from PIL import Image

from s2lic import errors, pillow_plugin
from s2lic.images.profile import fitted, space_of
from tests.files import PROFILE
from tests.frozen import codec, picture

IMAGE = picture("shapes", size=(16, 16))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("inputs") / "a.png"
    IMAGE.save(found)
    return found


FILES: list[IO[Any]] = []


@pytest.fixture(autouse=True)
def _close_files() -> Iterator[None]:
    yield
    while FILES:
        FILES.pop().close()


def opened(path: Path, **options: Any) -> IO[Any]:
    """A file that is closed when the test ends."""
    FILES.append(path.open(**options))
    return FILES[-1]


def _entry(path: Path) -> os.DirEntry[str]:
    with os.scandir(path.parent) as found:
        return next(found)


class Named:
    """A path of another library."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return str(self._path)


def mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


TAKEN: dict[str, Callable[[Path], object]] = {
    "str": str,
    "Path": Path,
    "PathLike": Named,
    "DirEntry": _entry,
    "bytes": Path.read_bytes,
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "mmap": mapped,
    "BytesIO": lambda path: io.BytesIO(path.read_bytes()),
    "raw file": lambda path: opened(path, mode="rb", buffering=0),
    "array": lambda _: np.asarray(IMAGE),
    "image": lambda _: IMAGE,
}
REFUSED: dict[str, Callable[[Path], object]] = {
    "None": lambda _: None,
    "list": lambda _: [[1, 2], [3, 4]],
    "number": lambda _: 7,
    "text file": lambda path: opened(path, encoding="latin1"),
    "StringIO": lambda _: io.StringIO("words"),
    "text of another encoding": lambda path: opened(path, encoding="ascii"),
    "dict": lambda _: {},
    "folder": lambda path: path.parent,
}


@pytest.mark.parametrize("kind", TAKEN)
def test_what_holds_a_picture_is_taken(path: Path, kind: str) -> None:
    expected = codec().encode(IMAGE, effort=0)
    assert codec().encode(TAKEN[kind](path), effort=0) == expected  # type: ignore[arg-type]
    assert codec().encode_many([TAKEN[kind](path)], effort=0) == [expected]  # type: ignore[list-item]


@pytest.mark.parametrize("kind", REFUSED)
def test_what_holds_none_is_refused_by_name(path: Path, kind: str) -> None:
    with pytest.raises(errors.UsageError):
        codec().encode(REFUSED[kind](path), effort=0)  # type: ignore[arg-type]
    if kind != "None":  # which is no map of regions
        with pytest.raises(errors.UsageError):
            codec().encode(IMAGE, effort=0, roi=REFUSED[kind](path))  # type: ignore[arg-type]


def test_a_file_that_was_closed_is_refused_by_name(path: Path) -> None:
    with path.open("rb") as file:
        pass
    with pytest.raises(errors.InputMissingError, match="closed"):
        codec().encode(file, effort=0)


def test_bytes_that_are_no_file_are_no_picture() -> None:
    with pytest.raises(errors.NotAnImageError):
        codec().encode(memoryview(array.array("d", [1.0, 2.0])), effort=0)


def test_the_resolution_goes_through_the_codec_and_the_plugin(tmp_path: Path) -> None:
    image = IMAGE.copy()
    image.info["dpi"] = (300, 300)
    assert codec().decode(codec().encode(image, effort=0)).info["dpi"] == (300, 300)
    pillow_plugin.use(codec())
    try:
        IMAGE.save(tmp_path / "a.s2lic", effort=0, dpi=(300, 150))
        with Image.open(tmp_path / "a.s2lic") as opened:
            assert opened.info["dpi"] == (300, 150)
    finally:
        pillow_plugin._codecs.clear()


@pytest.mark.filterwarnings("ignore::s2lic.errors.ConversionWarning")
@pytest.mark.parametrize(
    ("mode", "profile", "kept"),
    [
        ("CMYK", PROFILE[:16] + b"CMYK" + PROFILE[20:], None),
        ("HSV", PROFILE, PROFILE),
        ("LAB", PROFILE[:16] + b"Lab " + PROFILE[20:], None),
        ("RGB", PROFILE[:16] + b"GRAY" + PROFILE[20:], None),
        ("L", PROFILE, fitted(PROFILE, "L")),
        ("RGB", PROFILE, PROFILE),
        ("P", PROFILE, PROFILE),
    ],
)
@pytest.mark.parametrize("given", ["info", "option"])
def test_the_plugin_writes_no_profile_of_other_pixels(
    mode: str, profile: bytes, kept: bytes | None, given: str
) -> None:
    image, buffer = IMAGE.convert(mode), io.BytesIO()
    if given == "info":
        image.info["icc_profile"] = profile
    pillow_plugin.use(codec())
    try:
        image.save(buffer, "S2LIC", effort=0, **({"icc_profile": profile} if given == "option" else {}))
    finally:
        pillow_plugin._codecs.clear()
    found = codec().decode(buffer.getvalue())
    assert found.info.get("icc_profile") == kept
    assert kept is None or space_of(kept) == (b"GRAY" if found.mode == "L" else b"RGB ")
