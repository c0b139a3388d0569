"""The command line: each command is a function in its own file, with an entry in `COMMANDS` and one in `EXAMPLES`."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

import s2lic
from s2lic.cli.bench import speed
from s2lic.cli.bulk import decode as bulk_decode
from s2lic.cli.bulk import encode as bulk_encode
from s2lic.cli.decode import decode
from s2lic.cli.demo import demo
from s2lic.cli.encode import encode
from s2lic.cli.eval import eval  # noqa: A004 the command's name
from s2lic.cli.examples import EXIT_CODES, epilog
from s2lic.cli.explain import explain
from s2lic.cli.info import info
from s2lic.cli.lab import COMMANDS as LAB
from s2lic.cli.models import models
from s2lic.cli.reporting import reporting
from s2lic.cli.signals import unwinding
from s2lic.cli.train import train
from s2lic.cli.transcode import transcode
from s2lic.cli.weights import COMMANDS as WEIGHTS
from s2lic.errors import ConversionWarning, TargetWarning
from s2lic.runtime import keep_freed_memory

# Listed as `s2lic --help` shows them. Their files import heavy packages inside the function.
COMMANDS: tuple[Callable[..., None], ...] = (encode, decode, transcode, info, explain, demo, models, eval, train)
GROUPS: dict[str, tuple[str, tuple[Callable[..., None], ...]]] = {
    "bench": ("Measure this machine.", (speed,)),
    "bulk": ("Whole datasets, on this machine or a Ray cluster.", (bulk_encode, bulk_decode)),
    "lab": ("Research: list, compare and try the blocks of a transform.", LAB),
    "weights": ("List, verify, add, export and fit trained weights.", WEIGHTS),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 for success, 1 for a codec or file error, 2 for a usage error."""
    _reserve_standard_streams()
    _quieten_libraries()
    keep_freed_memory()
    with unwinding():
        application()(args=arguments)


def _reserve_standard_streams() -> None:
    """Open /dev/null for each standard stream that the caller closed, so that no file gets its number and its text."""
    with contextlib.suppress(OSError):
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:  # the lowest free number
            os.set_inheritable(number, True)
        os.close(number)


def _quieten_libraries() -> None:
    """Silence Pillow's warnings about odd files, and the warnings that the commands print as notes."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    for category in (ConversionWarning, TargetWarning):
        warnings.filterwarnings("ignore", category=category)


def application() -> typer.Typer:
    """All commands with their options and help."""
    app = _app(COMMANDS)
    app.callback()(_root)
    for name, (text, commands) in GROUPS.items():
        group = _app(commands, name)
        group.callback()(_group)
        app.add_typer(group, name=name, help=text)
    return app


def _app(commands: Sequence[Callable[..., None]], group: str = "") -> typer.Typer:
    # Plain text keeps rich, and its start-up time, out of help and usage errors.
    app = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=EXIT_CODES,
    )
    for command in commands:
        app.command(epilog=epilog(f"{group} {command.__name__}".strip()))(reporting(command))
    return app


def _group() -> None:
    """Do nothing: without a callback, typer merges a group that has one command into that command."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"s2lic {s2lic.__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("-V", "--version", is_eager=True, callback=_print_version, help="Print the version."),
    ] = False,
) -> None:
    """A learned image codec for photographs."""
