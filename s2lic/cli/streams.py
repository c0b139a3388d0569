"""Read files or stdin, write files or stdout, print notes on stderr."""

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

# In a folder, a file counts as s2lic by its suffix, even if it is broken, or by its magic bytes.
CODED = InputFilter("s2lic files", lambda path: path.suffix == ".s2lic" or begins_with(path, MAGIC))


def read_input(source: str, max_pixels: int) -> bytes:
    """The whole input. The length of stdin is limited by `max_pixels`. Raises the errors of `read_bytes`."""
    return read_open(stdin(), "stdin", max_pixels) if source == STANDARD else read_bytes(source, max_pixels)


def stdin() -> BinaryIO:
    """Raises InputMissingError if it is closed."""
    if sys.stdin is None:
        raise InputMissingError("cannot read stdin: it is closed; open it or name a file")
    return sys.stdin.buffer


def check_target(target: str, force: bool) -> None:
    """Refuse an output that could not be written, before any work. Raises the errors of `check_output`."""
    if target != STANDARD:
        check_output(target, force)


def write_output(target: str, data: bytes, force: bool) -> None:
    """Write the whole output or nothing. Raises OutputExistsError or OutputUnwritableError."""
    if target == STANDARD:
        _write_stdout(data)
    else:
        write_atomically(target, data, force)


def _write_stdout(data: bytes) -> None:
    with _named_stdout_errors():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextmanager
def _named_stdout_errors() -> Iterator[None]:
    """Turn an OSError into an OutputUnwritableError that names stdout."""
    try:
        yield
    except BrokenPipeError:
        raise  # typer exits silently, as tools in a pipe do
    except OSError as error:
        raise OutputUnwritableError(f"cannot write to stdout: {error.strerror}") from error


def say(line: str) -> None:
    """Print a line on stdout. Raises OutputUnwritableError."""
    with _named_stdout_errors():
        typer.echo(line)


def print_json(result: Mapping[str, object] | Sequence[Mapping[str, object]]) -> None:
    """Print a result as JSON on stdout."""
    say(json.dumps(result, indent=2))


def print_note(line: str, quiet: bool) -> None:
    """Print one line on stderr, unless `quiet`."""
    if not quiet:
        # A progress bar replaces sys.stderr to keep lines above it. Without `file`, echo would bypass it.
        typer.echo(one_line(line), file=sys.stderr, err=True)


def is_whole_file(path: str) -> bool:
    """Whether it is an s2lic file with a valid checksum."""
    try:
        read_header(read_bytes(path))
    except (InputMissingError, BitstreamError):
        return False
    return True


def is_whole_picture(path: str, header: Header) -> bool:
    """Whether Pillow finds an undamaged image of the header's size."""
    from s2lic.images.openers import open_picture

    if not Path(path).is_file():
        return False
    try:
        with open_picture(Path(path).read_bytes()) as image:
            size = image.size
            image.verify()
    except Exception:  # noqa: BLE001 Pillow raises exceptions of any type on broken files
        return False
    return size == (header.width, header.height)
