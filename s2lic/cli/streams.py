"""Bytes from files or stdin, bytes to files or stdout, words on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import typer

from s2lic.errors import UsageError
from s2lic.files import check_output, read_bytes, write_atomically

STANDARD = "-"


def read_input(source: str) -> bytes:
    """The whole input. Raises InputMissingError."""
    return sys.stdin.buffer.read() if source == STANDARD else read_bytes(source)


def name_output(source: str, output: str | None, extension: str) -> str:
    """Where the result goes: as asked, else beside the input, else the other end of the pipe."""
    if output is not None or source == STANDARD:
        return output or STANDARD
    return str(Path(source).with_name(Path(source).stem + extension))


def check_target(target: str, force: bool, as_json: bool) -> None:
    """Refuse an output that could not be written, before any work. Raises UsageError and more."""
    if target != STANDARD:
        check_output(target, force)
    elif as_json:
        raise UsageError("--json prints on stdout, where the output goes already; give -o FILE")
    elif sys.stdout.isatty():
        raise UsageError("a terminal cannot show the output; redirect it or give -o FILE")


def write_output(target: str, data: bytes, force: bool) -> None:
    """All of the output, or none of it. Raises OutputExistsError or OutputUnwritableError."""
    if target == STANDARD:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_atomically(target, data, force)


def print_json(result: Mapping[str, object]) -> None:
    typer.echo(json.dumps(result, indent=2))


def print_note(line: str, quiet: bool) -> None:
    if not quiet:
        typer.echo(line, err=True)


@contextmanager
def progress(line: str, quiet: bool) -> Iterator[None]:
    """Show a line while the work lasts, if someone is looking at a terminal."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    typer.echo(f"{line} ...", err=True, nl=False)
    try:
        yield
    finally:
        typer.echo("\r\x1b[K", err=True, nl=False)
