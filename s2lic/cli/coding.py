"""What `encode` and `decode` share: the work on files, with a line for each and a summary of many."""

from __future__ import annotations

import time
from collections.abc import Callable

from s2lic.cli.batch import SKIPPED, Facts, Manner, Outcome, Work, finish, run
from s2lic.cli.jobs import Batch
from s2lic.cli.streams import print_note
from s2lic.cli.summary import print_summary


def code(batch: Batch, work: Work, line: Callable[[Facts], str], manner: Manner, verb: str) -> None:
    """Do every job, and exit with the code of the worst; `line` says what an output came to."""
    began = time.perf_counter()
    outcomes = run(batch, work, lambda outcome: print_note(_told(outcome, line), manner.quiet), manner, verb)
    if batch.many and not manner.quiet:
        print_summary(outcomes, time.perf_counter() - began)
    finish(outcomes)


def _told(outcome: Outcome, line: Callable[[Facts], str]) -> str:
    return f"{outcome.job.target}: {'there already' if outcome.status == SKIPPED else line(outcome.facts)}"
