"""Bytes from files or stdin, bytes to files or stdout, words on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import typer

from s2lic.cli.jobs import STANDARD, InputFilter
from s2lic.cli.reporting import one_line
from s2lic.container.boxes import MAGIC, Header, read_header
from s2lic.errors import BitstreamError, InputMissingError, OutputUnwritableError
from s2lic.files import begins_with, check_output, read_bytes, read_open, write_atomically

# A file named so belongs to a folder's files even if it is broken; one named otherwise if it is ours.
CODED = InputFilter("s2lic files", lambda path: path.suffix == ".s2lic" or begins_with(path, MAGIC))


def read_input(source: str, max_pixels: int) -> bytes:
    """The whole input; of stdin or a pipe no more than so many pixels can have. Raises as `read_bytes` does."""
    return read_open(stdin(), "stdin", max_pixels) if source == STANDARD else read_bytes(source, max_pixels)


def stdin() -> BinaryIO:
    """Raises InputMissingError if it is closed."""
    if sys.stdin is None:
        raise InputMissingError("cannot read stdin: it is closed; open it or name a file")
    return sys.stdin.buffer


def check_target(target: str, force: bool) -> None:
    """Refuse an output that could not be written, before any work. Raises as `check_output` does."""
    if target != STANDARD:
        check_output(target, force)


def write_output(target: str, data: bytes, force: bool) -> None:
    """All of the output, or none of it. Raises OutputExistsError or OutputUnwritableError."""
    if target == STANDARD:
        _write_stdout(data)
    else:
        write_atomically(target, data, force)


def _write_stdout(data: bytes) -> None:
    with _told():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong with stdout by its name."""
    try:
        yield
    except BrokenPipeError:
        raise  # typer ends quietly, as the tools before and behind in a pipe do
    except OSError as error:
        raise OutputUnwritableError(f"cannot write to stdout: {error.strerror}") from error


def say(line: str) -> None:
    """A line on stdout. Raises OutputUnwritableError."""
    with _told():
        typer.echo(line)


def print_json(result: Mapping[str, object] | Sequence[Mapping[str, object]]) -> None:
    """Print a result as JSON on stdout."""
    say(json.dumps(result, indent=2))


def print_note(line: str, quiet: bool) -> None:
    """Print one line on stderr, unless `quiet`."""
    if not quiet:
        # A bar that shows takes the place of sys.stderr to keep lines above it; without `file`, echo writes past that.
        typer.echo(one_line(line), file=sys.stderr, err=True)


def is_whole_file(path: str) -> bool:
    """Whether it is an s2lic file whose checksum holds."""
    try:
        read_header(read_bytes(path))
    except (InputMissingError, BitstreamError):
        return False
    return True


def is_whole_picture(path: str, header: Header) -> bool:
    """Whether Pillow finds a picture of the header's size and no damage in it."""
    from s2lic.images.openers import open_picture

    if not Path(path).is_file():
        return False
    try:
        with open_picture(Path(path).read_bytes()) as image:
            size = image.size
            image.verify()
    except Exception:  # noqa: BLE001 on broken files Pillow lets any kind through
        return False
    return size == (header.width, header.height)
