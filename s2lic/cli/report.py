"""What every command shares when something goes wrong: `-v`, one line on stderr, an exit code."""

from __future__ import annotations

import functools
import inspect
import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import typer

from s2lic.errors import S2licError

Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show the traceback of an error.")]


def reporting(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the option `-v`, and every named error turned into its line and code."""

    @functools.wraps(command)
    def run(*, verbose: bool, **arguments: Any) -> None:
        try:
            command(**arguments)
        except S2licError as error:
            if verbose:
                traceback.print_exc()
            print(f"s2lic: {error}", file=sys.stderr)  # noqa: T201
            raise typer.Exit(error.exit_code) from error

    # Typer learns the options from here.
    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("verbose", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Verbose)
    parameters = [*signature.parameters.values(), option]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {row.name: row.annotation for row in parameters}
    return run
