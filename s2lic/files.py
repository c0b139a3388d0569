"""Whole files in and out; an output appears complete or not at all."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path
from typing import IO

from s2lic.errors import (
    InputMissingError,
    InputTooLongError,
    OutputExistsError,
    OutputPlaceError,
    OutputUnwritableError,
)

# What a stream may have: four floats a pixel, more than which hardly a format stores, and metadata beside them.
BYTES_A_PIXEL, BYTES_BESIDE = 16, 2**26
CHUNK = 2**20
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
    """The rest of an open file, no more than a picture of so many pixels can have. Raises InputTooLongError."""
    if max_pixels is None:
        return file.read()
    data, most = io.BytesIO(), BYTES_A_PIXEL * max_pixels + BYTES_BESIDE
    while chunk := file.read(CHUNK):
        data.write(chunk)
        if data.tell() > most:
            raise InputTooLongError(
                f"{name} gives more than {most} bytes, and a picture of {max_pixels} pixels has fewer; put it into a "
                "file, or raise max_pixels (--max-pixels)"
            )
    return data.getvalue()


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

    Raises OutputExistsError, OutputPlaceError, or OutputUnwritableError if the system does not tell.
    """
    target = Path(path)
    try:
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

    Raises OutputExistsError unless `force`, OutputPlaceError and OutputUnwritableError.
    """
    check_output(path, force)
    # A link keeps pointing where it did: the file behind it is what is replaced.
    target = Path(path).resolve()
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)  # renaming over /dev/null or a pipe would destroy it
        else:
            _replace(target, data)
    except OSError as error:
        raise OutputUnwritableError(_no_write(path, error)) from error


def _no_read(path: str | Path, error: OSError) -> str:
    return f"cannot read {path}: {error.strerror}; {_MENDS.get(error.errno or 0, _NAME)}"


def _no_write(path: str | Path, error: OSError) -> str:
    return f"cannot write {path}: {error.strerror}; {_MENDS.get(error.errno or 0, 'name another file or folder')}"


def _replace(target: Path, data: bytes) -> None:
    partial = target.with_name(f".{os.urandom(8).hex()}.part")
    try:
        # Mode x never opens what another program put there, and heeds the user's umask.
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
