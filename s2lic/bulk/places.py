"""Folders behind fsspec URLs: list, read and write files. An output appears complete or not at all."""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from s2lic.errors import ExtraMissingError, InputMissingError, OutputUnwritableError, S2licError, UsageError
from s2lic.files import make_folder, write_atomically

# Their objects appear only when complete.
OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"}
LOCAL = {"file", "local"}


@dataclass(frozen=True)
class Place:
    """A folder on a file system of fsspec."""

    url: str
    fs: Any  # an fsspec.AbstractFileSystem
    root: str

    @property
    def protocols(self) -> set[str]:
        found = self.fs.protocol
        return {found} if isinstance(found, str) else set(found)

    def path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"

    def names(self) -> list[str]:
        """All files in the folder and its subfolders, sorted, without hidden ones. A missing folder has none.

        Raises InputMissingError.
        """
        with _reading(self.url):
            self.fs.invalidate_cache()
            paths = self.fs.find(self.root)
        start = len(self.root.rstrip("/")) + 1
        names = (path[start:] for path in paths)
        return sorted(name for name in names if name and not any(part.startswith(".") for part in name.split("/")))

    def read(self, name: str) -> bytes:
        """The content of a file. Raises InputMissingError."""
        with _reading(self.path(name)):
            return bytes(self.fs.cat_file(self.path(name)))

    @contextmanager
    def reader(self, name: str) -> Iterator[IO[bytes]]:
        """An open file. Raises InputMissingError if it cannot be opened."""
        with _reading(self.path(name)):
            file = self.fs.open(self.path(name), "rb")
        with file:
            yield file

    def put(self, name: str, data: bytes) -> None:
        """Write or replace a file. Raises OutputUnwritableError."""
        path = self.path(name)
        if self.protocols & LOCAL:
            make_folder(_parent(path))
            write_atomically(path, data, force=True)
        elif self.protocols & OBJECT_STORES:
            with _writing(path):
                self.fs.pipe_file(path, data)
        else:
            with self.writer(name) as file:
                file.write(data)

    @contextmanager
    def writer(self, name: str) -> Iterator[IO[bytes]]:
        """A file to write to. It appears under its name when the block ends without an error.

        Raises OutputUnwritableError.
        """
        path = self.path(name)
        partial = posixpath.join(posixpath.dirname(path), f".{os.urandom(8).hex()}.part")
        with _writing(path):
            try:
                self.fs.makedirs(posixpath.dirname(path), exist_ok=True)
                with self.fs.open(partial, "wb") as file:
                    yield file
                    file.flush()
                    if self.protocols & LOCAL:
                        os.fsync(file.fileno())
                self.fs.mv(partial, path)
            except BaseException:
                with contextlib.suppress(Exception):
                    self.fs.rm(partial)
                raise


def open_place(url: str) -> Place:
    """The folder of a URL, or of a path. Raises UsageError, ExtraMissingError."""
    from fsspec.core import url_to_fs

    try:
        fs, root = url_to_fs(url)
    except ImportError as error:
        raise ExtraMissingError(f"{url} needs a package of fsspec: {error}") from error
    except (ValueError, OSError) as error:
        raise UsageError(f"{url} is no URL of a folder: {error}") from error
    return Place(url, fs, root)


def open_source(url: str) -> tuple[Place, list[str]]:
    """A folder with the names of its files, or the folder of a single file with its name.

    Raises UsageError, ExtraMissingError, InputMissingError.
    """
    place = open_place(url)
    with _reading(url):
        single = place.fs.isfile(place.root)
    if single:
        folder, _, name = place.root.rpartition("/")
        return Place(url, place.fs, folder), [name]
    if not (names := place.names()):
        raise InputMissingError(f"there are no files in {url}; check the URL and the rights to list it")
    return place, names


def _parent(path: str) -> Any:
    from pathlib import Path

    return Path(path).parent


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn errors, whose types depend on the file system, into InputMissingError."""
    try:
        yield
    except S2licError:
        raise
    except Exception as error:
        raise InputMissingError(f"cannot read {name}: {_cause(error)}; check the URL and the rights") from error


@contextmanager
def _writing(name: str) -> Iterator[None]:
    try:
        yield
    except S2licError:
        raise
    except Exception as error:
        raise OutputUnwritableError(
            f"cannot write {name}: {_cause(error)}; free some space, check the rights, or name another place"
        ) from error


def _cause(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)
