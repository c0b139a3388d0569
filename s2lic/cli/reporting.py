"""Error handling of every command: `-v`, one line on stderr, an exit code."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from s2lic.cli.options import Verbose
from s2lic.errors import ExtraMissingError, S2licError


def reporting(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option `-v` to a command, and turn every named error into a line on stderr and an exit code."""
    # Typer reads the options from the signature. A command that continues after an error defines `-v` itself.
    signature = inspect.signature(command, eval_str=True)
    own = "verbose" in signature.parameters

    @functools.wraps(command)
    def run(*, verbose: bool, **arguments: Any) -> None:
        try:
            command(**arguments, **({"verbose": verbose} if own else {}))
        except (S2licError, ModuleNotFoundError) as error:
            named = ExtraMissingError.of(error) if isinstance(error, ModuleNotFoundError) else error
            if not isinstance(named, S2licError):
                raise
            tell(named, verbose)
            raise typer.Exit(named.exit_code) from error

    option = inspect.Parameter("verbose", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Verbose)
    parameters = [*signature.parameters.values(), *([] if own else [option])]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {row.name: row.annotation for row in parameters}
    return run


def tell(error: S2licError, verbose: bool, source: str | None = None) -> None:
    """Print an error as one line on stderr, after the traceback if `verbose`. `source` is the input that failed."""
    if sys.stderr is None:  # closed; `print` would write to stdout instead
        return
    if verbose:
        traceback.print_exception(error)
    where = f"{source}: " if source is not None and not mentions(str(error), source) else ""
    print(one_line(f"s2lic: {where}{error}"), file=sys.stderr)  # noqa: T201


def mentions(text: str, source: str) -> bool:
    """Whether a text names the file. Names without a suffix do not count, as they may be ordinary words."""
    alone = rf"(?<![\w./\\-]){re.escape(source)}(?![\w/\\-]|\.\w)"
    return Path(source).suffix != "" and re.search(alone, text) is not None


def one_line(text: str) -> str:
    """The text with line breaks, escape codes and undecodable bytes escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
