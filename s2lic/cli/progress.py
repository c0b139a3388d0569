"""Progress on a terminal: a line of text, then a bar once the work reports progress."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from s2lic.cli.reporting import one_line
from s2lic.runtime import ProgressCallback, no_progress

if TYPE_CHECKING:
    from rich.progress import Progress


# Terminals without cursor control, as in Emacs and in logs.
_PLAIN = ("dumb", "unknown", "")


def stderr_is_watched() -> bool:
    """Whether stderr is a terminal that can erase a line."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in _PLAIN


@contextmanager
def progress(words: str, quiet: bool) -> Iterator[ProgressCallback]:
    """Show a text during the work, if stderr is a terminal. The callback turns it into a progress bar."""
    if quiet or not stderr_is_watched():
        yield no_progress
        return
    status = StatusLine(one_line(words))
    try:
        yield status
    finally:
        status.wipe()


class StatusLine:
    """A line on stderr that becomes a bar at the first report of progress."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._bar: Progress | None = None
        typer.echo(f"{words} ...", err=True, nl=False)

    def __call__(self, count: int, of: int) -> None:
        if self._bar is None:
            self.wipe()
            self._bar = _bar(self._words, of)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=count, total=of)

    def wipe(self) -> None:
        """Remove it from the terminal."""
        if self._bar is None:
            typer.echo("\r\x1b[K", err=True, nl=False)
        else:
            self._bar.stop()


def _bar(words: str, of: int) -> Progress:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    bar.add_task(escape(words), total=of)
    return bar
