"""Whole files in and out; an output appears complete or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import math
import os
import re
import stat
from pathlib import Path
from typing import IO

from s2lic.errors import (
    FolderGoneError,
    InputMissingError,
    InputTooLongError,
    OutputExistsError,
    OutputPlaceError,
    OutputUnwritableError,
    UsageError,
)

# What a stream may have: four floats a pixel, more than which hardly a format stores, and metadata beside them.
BYTES_A_PIXEL, BYTES_BESIDE = 16, 2**26
CHUNK = 2**20
# What a path of an open file becomes on Linux and elsewhere, and how many links a path may have.
_DESCRIPTOR = re.compile(r"(?:/proc/(?P<process>\d+)(?:/task/\d+)?|/dev)/fd/(?P<number>\d+)")
_LINKS = 40
_NAME, _ROOM, _RIGHTS = "check the name", "free some space, or name another place", "check the permissions"
_MENDS = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EISDIR: "name a file in it",
}


def read_bytes(path: str | Path, max_pixels: int | None = None) -> bytes:
    """The content of a file; of a pipe, which may never end, as `read_open` has it.

    Raises InputMissingError, and InputTooLongError.
    """
    try:
        if Path(path).is_char_device() or Path(path).is_block_device():
            raise InputMissingError(f"cannot read {path}: it is a device; name a file or a pipe")
        if Path(path).is_fifo():
            with Path(path).open("rb") as pipe:
                return read_open(pipe, str(path), max_pixels)
        return Path(path).read_bytes()
    except OSError as error:
        raise InputMissingError(_no_read(path, error)) from error


def read_open(file: IO[bytes], name: str, max_pixels: int | None) -> bytes:
    """The rest of an open file, no more than a picture of so many pixels can have.

    Raises InputTooLongError, InputMissingError, and UsageError for a file of text.
    """
    data = io.BytesIO()
    most = math.inf if max_pixels is None else BYTES_A_PIXEL * max_pixels + BYTES_BESIDE
    while chunk := _next(file, name):
        data.write(chunk)
        if data.tell() > most:
            raise InputTooLongError(
                f"{name} gives more than {most} bytes, and a picture of {max_pixels} pixels has fewer; put it into a "
                "file, or raise max_pixels (--max-pixels)"
            )
    return data.getvalue()


def _next(file: IO[bytes], name: str) -> bytes:
    try:
        chunk: object = file.read(CHUNK)
    except (OSError, ValueError) as error:  # ValueError: it is closed, or a text of another encoding
        cause = getattr(error, "strerror", None) or error
        raise InputMissingError(f"cannot read {name}: {cause}; give a file that is open for reading bytes") from error
    if chunk is None:
        raise InputMissingError(f"cannot read {name}: it has no bytes yet; make it blocking")
    if not isinstance(chunk, (bytes, bytearray, memoryview)):
        raise UsageError(f"{name} is open as text; open it for bytes, with mode 'rb'")
    return bytes(chunk)


def check_input(path: str | Path) -> None:
    """Refuse early what cannot be opened. Raises InputMissingError."""
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise InputMissingError(_no_read(path, error)) from error


def begins_with(path: Path, magic: bytes) -> bool:
    """Whether it is a file that can be read and begins so; a pipe, which would keep its reader waiting, is none."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False


def is_special(path: Path) -> bool:
    """Whether it is there and neither a file nor a folder: a pipe, a socket, a device, or a link to one."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_folder(path: str | Path) -> bool:
    """Whether a folder is there; an empty name is none, nor is one that the system refuses."""
    try:
        return path != "" and Path(path).is_dir()
    except OSError:
        return False


def make_folder(path: Path) -> None:
    """The folder and those above it, if they are not there. Raises OutputPlaceError, OutputUnwritableError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputPlaceError(f"cannot make the folder {path}: a file is in its way; name another") from error
    except OSError as error:
        raise OutputUnwritableError(f"cannot make the folder {path}: {error.strerror}; name another") from error


def check_output(path: str | Path, force: bool = False) -> None:
    """Refuse early what `write_atomically` would refuse after the work is done.

    Raises OutputExistsError, OutputPlaceError, FolderGoneError, or OutputUnwritableError if the system does not tell.
    """
    target = Path(path)
    try:
        if (number := descriptor_of(path)) is not None:
            os.fstat(number)
            return
        _target_of(path)
        if target.is_dir():
            raise OutputPlaceError(f"cannot write {target}: it is a folder; name a file in it")
        if target.is_file() and not force:
            raise OutputExistsError(f"{target} is already there; --force overwrites it")
        if not target.parent.is_dir():
            raise OutputPlaceError(f"cannot write {target}: there is no folder {target.parent}; make it first")
    except OSError as error:
        raise OutputUnwritableError(_no_write(path, error)) from error


def write_atomically(path: str | Path, data: bytes, force: bool = False) -> None:
    """Write to a temporary file in the same folder, then rename it.

    What is no file, as a pipe or an open file by its number (/dev/stdout, /dev/fd/3), is written to as it is.
    Raises OutputExistsError unless `force`, OutputPlaceError, FolderGoneError and OutputUnwritableError.
    """
    check_output(path, force)
    try:
        if (number := descriptor_of(path)) is not None:
            with os.fdopen(os.dup(number), "wb") as file:
                file.write(data)
        elif is_special(Path(path)):
            Path(path).write_bytes(data)  # renaming over /dev/null or a pipe would destroy it
        else:
            _replace(_target_of(path), data)
    except OSError as error:
        raise OutputUnwritableError(_no_write(path, error)) from error


def descriptor_of(path: str | Path) -> int | None:
    """The number of the open file that a path stands for, as /dev/stdout or what a shell makes of >(command)."""
    place = Path(path)
    with contextlib.suppress(OSError):
        for _ in range(_LINKS):
            folder = Path(os.path.realpath(place.parent))
            place = folder / place.name
            if found := _DESCRIPTOR.fullmatch(str(place)):
                own = found["process"] in (None, str(os.getpid()))
                return int(found["number"]) if own else None
            place = folder / place.readlink()
    return None


def is_stream(path: str | Path) -> bool:
    """Whether what is written there goes on to somewhere else, so that its name says nothing of a format."""
    return descriptor_of(path) is not None or is_special(Path(path))


def real_path(path: str | Path) -> Path:
    """Where a path leads, past links and dots; one that leads nowhere stays as it is. Raises FolderGoneError."""
    try:
        return Path(os.path.realpath(path))
    except FileNotFoundError as error:  # `path` is relative, and there is nothing to which
        raise FolderGoneError(f"cannot find {path}: the current folder was removed; change to another") from error


def _target_of(path: str | Path) -> Path:
    """The file to replace: a link keeps pointing where it did. Raises OSError for links in a circle."""
    target = real_path(path)
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


def _no_read(path: str | Path, error: OSError) -> str:
    return f"cannot read {path}: {error.strerror}; {_MENDS.get(error.errno or 0, _NAME)}"


def _no_write(path: str | Path, error: OSError) -> str:
    return f"cannot write {path}: {error.strerror}; {_MENDS.get(error.errno or 0, 'name another file or folder')}"


def _replace(target: Path, data: bytes) -> None:
    partial = target.with_name(f".{os.urandom(8).hex()}.part")
    before = target.stat() if target.exists() else None
    # A file keeps its rights when it is replaced, and nobody may read it before; a new one heeds the user's umask.
    rights = 0o666 if before is None else 0o600
    try:
        # Mode x never opens what another program put there.
        with open(partial, "xb", opener=lambda name, flags: os.open(name, flags, rights)) as file:
            if before is not None:
                _give_rights(file.fileno(), before)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _give_rights(number: int, before: os.stat_result) -> None:
    if not hasattr(os, "fchmod"):
        return
    with contextlib.suppress(PermissionError):  # only root gives files away
        os.fchown(number, before.st_uid, before.st_gid)
    os.fchmod(number, stat.S_IMODE(before.st_mode))
