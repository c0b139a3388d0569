"""Run jobs one after another or in threads, report each, and continue after a failure."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from s2lic.cli.jobs import Batch
from s2lic.cli.progress import progress, stderr_is_watched
from s2lic.cli.reporting import one_line, tell
from s2lic.cli.streams import print_json, print_note, say
from s2lic.coding.pipeline import DONE, FAILED, SKIPPED, Job, JobFacts, JobOutcome, Work, attempt
from s2lic.runtime import no_progress, with_progress

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA = 1  # of the JSON of an input; it rises when a field changes its meaning or goes
_WIDEST = 1000  # columns, more than any table of totals takes


@dataclass(frozen=True)
class RunOptions:
    """What a run prints, and its number of threads."""

    quiet: bool = False
    as_json: bool = False
    verbose: bool = False
    threads: int = 1


def each(do: Callable[[Job], JobFacts]) -> Work:
    """Work that does one job after another."""
    return lambda jobs, _: (attempt(job, lambda: do(job)) for job in jobs)  # noqa: B023 done before the next job comes


def run(
    batch: Batch, work: Work, show: Callable[[JobOutcome], None], options: RunOptions, verb: str
) -> list[JobOutcome]:
    """Do every job and print its outcome. JSON is an object for one input, and a line for each of several."""
    for note in batch.notes:
        print_note(f"s2lic: note: {note}", options.quiet)
    outcomes = []
    with progress(verb, quiet=options.quiet or len(batch.jobs) == 1) as done:
        for outcome in with_progress(_outcomes(batch, work, options, verb), len(batch.jobs), done):
            outcomes.append(outcome)
            if outcome.error:
                tell(outcome.error, options.verbose, outcome.job.source if batch.many else None)
            if options.as_json:
                _print_json(outcome, batch.many)
            elif not outcome.error:
                show(outcome)
    return outcomes


def _print_json(outcome: JobOutcome, many: bool) -> None:
    facts = _as_json(outcome)
    if many:
        say(json.dumps(facts))
    else:
        print_json(facts)


def _as_json(outcome: JobOutcome) -> JobFacts:
    names: JobFacts = {"schema": SCHEMA, "input": outcome.job.source}
    if outcome.job.target is not None:
        names["output"] = outcome.job.target
    error = outcome.error
    fault = {"error": type(error).__name__, "message": str(error)} if error else {}
    return {**names, "status": outcome.status, **outcome.facts, **fault}


def exit_code(outcomes: list[JobOutcome]) -> int:
    """0 if every job succeeded, 1 if a file is at fault, 2 if only the request is."""
    return min((outcome.error.exit_code for outcome in outcomes if outcome.error), default=0)


def finish(outcomes: list[JobOutcome]) -> None:
    """Exit with the code of the worst outcome, if any failed."""
    if code := exit_code(outcomes):
        raise typer.Exit(code)


def _outcomes(batch: Batch, work: Work, options: RunOptions, verb: str) -> Iterator[JobOutcome]:
    if len(batch.jobs) == 1:
        with progress(f"{verb} {batch.jobs[0].source}", options.quiet) as done:
            outcomes = list(work(batch.jobs, done))
        yield from outcomes
        return
    if options.threads == 1:
        yield from work(batch.jobs, no_progress)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(options.threads) as pool:
        try:
            yield from pool.map(lambda job: next(work([job], no_progress)), batch.jobs)
        except BaseException:
            # Jobs that have begun are finished, so that no output is left half-written; the others are not begun.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def print_summary(outcomes: Sequence[JobOutcome], seconds: float) -> None:
    """Print counts, pixels, bytes and time; then each failure with its cause."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, force_terminal=None if stderr_is_watched() else False)
    cells = [(name, _shown(value)) for name, value in {**totals(outcomes), "seconds": seconds}.items()]
    wide = _in_columns(cells)
    fits = console.measure(wide, options=console.options.update(width=_WIDEST)).minimum <= console.width
    console.print(wide if fits else _in_rows(cells))
    failed = [outcome for outcome in outcomes if outcome.error]
    if failed:
        console.print(_failures(failed))


def totals(outcomes: Sequence[JobOutcome]) -> JobFacts:
    """Sums over the outcomes. bpp is all bytes over all pixels; it is left out after decoding crops."""
    facts = [outcome.facts for outcome in outcomes if outcome.status == DONE]
    pixels = sum(int(str(row["width"])) * int(str(row["height"])) for row in facts)
    size = sum(int(str(row["bytes"])) for row in facts)
    counts = {status: sum(outcome.status == status for outcome in outcomes) for status in (DONE, SKIPPED, FAILED)}
    bpp = {} if any("crop" in row for row in facts) else {"bpp": 8 * size / pixels if pixels else 0.0}
    return {**counts, "megapixels": pixels / 1e6, "bytes": size, **bpp}


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _in_columns(cells: Sequence[tuple[str, str]]) -> Table:
    from rich.table import Table

    table = Table()
    for name, _ in cells:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(*(value for _, value in cells))
    return table


def _in_rows(cells: Sequence[tuple[str, str]]) -> Table:
    """The same for a narrow terminal: a number that does not fit goes on in the next line."""
    from rich.table import Table

    table = Table(show_header=False, padding=0)
    table.add_column(no_wrap=False, overflow="fold")
    table.add_column(justify="right", overflow="fold")
    for cell in cells:
        table.add_row(*cell)
    return table


def _failures(failed: Sequence[JobOutcome]) -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table("failed", "cause")
    for outcome in failed:
        # `Text` has no markup: a name may contain brackets.
        table.add_row(Text(one_line(outcome.job.source), overflow="fold"), Text(one_line(str(outcome.error))))
    return table


def code(batch: Batch, work: Work, line: Callable[[JobFacts], str], options: RunOptions, verb: str) -> None:
    """Do every job, and exit with the code of the worst outcome.

    Args:
        batch: The jobs.
        work: What does them.
        line: Describes an output in a line.
        options: What to print.
        verb: The verb for the progress line.
    """
    began = time.perf_counter()
    outcomes = run(batch, work, lambda outcome: print_note(_describe(outcome, line), options.quiet), options, verb)
    if batch.many and not options.quiet:
        print_summary(outcomes, time.perf_counter() - began)
    finish(outcomes)


def _describe(outcome: JobOutcome, line: Callable[[JobFacts], str]) -> str:
    return f"{outcome.job.target}: {'there already' if outcome.status == SKIPPED else line(outcome.facts)}"
