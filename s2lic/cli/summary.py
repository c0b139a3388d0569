"""What a run over many files came to, as a table on stderr."""

from __future__ import annotations

from collections.abc import Sequence

from s2lic.cli.batch import DONE, FAILED, SKIPPED, Facts, Outcome
from s2lic.cli.report import one_line


def print_summary(outcomes: Sequence[Outcome], seconds: float) -> None:
    """Counts, pixels, bytes and time; then each failure with its cause."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    console.print(_totals(outcomes, seconds))
    failed = [outcome for outcome in outcomes if outcome.error]
    if failed:
        console.print(_failures(failed))


def totals(outcomes: Sequence[Outcome]) -> Facts:
    """Sums over the outcomes; bpp is of all bytes over all pixels, and none where only crops were decoded of them."""
    facts = [outcome.facts for outcome in outcomes if outcome.status == DONE]
    pixels = sum(int(str(row["width"])) * int(str(row["height"])) for row in facts)
    size = sum(int(str(row["bytes"])) for row in facts)
    counts = {status: sum(outcome.status == status for outcome in outcomes) for status in (DONE, SKIPPED, FAILED)}
    bpp = {} if any("crop" in row for row in facts) else {"bpp": 8 * size / pixels if pixels else 0.0}
    return {**counts, "megapixels": pixels / 1e6, "bytes": size, **bpp}


def _totals(outcomes: Sequence[Outcome], seconds: float) -> object:
    from rich.table import Table

    table = Table()
    cells = {**totals(outcomes), "seconds": seconds}
    for name in cells:
        table.add_column(name, justify="right")
    table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in cells.values()))
    return table


def _failures(failed: Sequence[Outcome]) -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table("failed", "cause")
    for outcome in failed:
        # Text is taken as it is: a name in brackets is no markup.
        table.add_row(Text(one_line(outcome.job.source), overflow="fold"), Text(one_line(str(outcome.error))))
    return table
