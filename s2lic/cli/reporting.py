"""What every command shares when something goes wrong: `-v`, one line on stderr, an exit code."""

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
    """The command with the option `-v`, and every named error turned into its line and code."""
    # Typer learns the options from the signature. A command that goes on after an error has `-v` itself.
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
    """One line on stderr, behind the traceback if that is wanted; `source` says which of many inputs it is about."""
    if sys.stderr is None:  # closed; `print` would take stdout instead
        return
    if verbose:
        traceback.print_exception(error)
    where = f"{source}: " if source is not None and not mentions(str(error), source) else ""
    print(one_line(f"s2lic: {where}{error}"), file=sys.stderr)  # noqa: T201


def mentions(text: str, source: str) -> bool:
    """Whether a text names a file; a name without an ending, as `a` or `file`, may stand in it as a word."""
    alone = rf"(?<![\w./\\-]){re.escape(source)}(?![\w/\\-]|\.\w)"
    return Path(source).suffix != "" and re.search(alone, text) is not None


def one_line(text: str) -> str:
    """The text with line breaks, escape codes and undecodable bytes of file names spelled out."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
