"""Run the jobs one after another or in threads, say what became of each, and go on where one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import typer

from s2lic.cli.jobs import Batch, Job
from s2lic.cli.progress import progress
from s2lic.cli.report import tell
from s2lic.cli.streams import print_json
from s2lic.errors import S2licError
from s2lic.progress import Done, counted, unheard

DONE, SKIPPED, FAILED = "done", "skipped", "failed"

Facts = dict[str, object]


@dataclass(frozen=True)
class Manner:
    """How a run goes: what is printed, and in how many threads."""

    quiet: bool = False
    as_json: bool = False
    verbose: bool = False
    threads: int = 1


@dataclass(frozen=True)
class Outcome:
    """What became of a job: `facts` for JSON, and the error if it failed."""

    job: Job
    facts: Facts = field(default_factory=dict)
    error: S2licError | None = None

    @property
    def status(self) -> str:
        return FAILED if self.error else str(self.facts.get("status", DONE))

    def as_json(self) -> Facts:
        names: Facts = {"input": self.job.source}
        if self.job.target is not None:
            names["output"] = self.job.target
        fault = {"error": type(self.error).__name__, "message": str(self.error)} if self.error else {}
        return {**names, "status": self.status, **self.facts, **fault}


Work = Callable[[Iterable[Job], Done], Iterator[Outcome]]  # of a single job, it may tell how far that is


def each(do: Callable[[Job], Facts]) -> Work:
    """The work of doing one job after another."""
    return lambda jobs, _: (attempt(job, lambda: do(job)) for job in jobs)  # noqa: B023 done before the next job comes


def attempt(job: Job, do: Callable[[], Facts]) -> Outcome:
    """What becomes of a job that `do` does."""
    try:
        return Outcome(job, do())
    except S2licError as error:
        return Outcome(job, error=error)


def run(batch: Batch, work: Work, show: Callable[[Outcome], None], manner: Manner, verb: str) -> list[Outcome]:
    """Do every job; `show` prints a success. JSON is one object for one input, else a list."""
    outcomes = []
    with progress(verb, quiet=manner.quiet or len(batch.jobs) == 1) as done:
        for outcome in counted(_outcomes(batch, work, manner, verb), len(batch.jobs), done):
            outcomes.append(outcome)
            if outcome.error:
                tell(outcome.error, manner.verbose, outcome.job.source if batch.many else None)
            elif not manner.as_json:
                show(outcome)
    if manner.as_json:
        facts = [outcome.as_json() for outcome in outcomes]
        print_json(facts if batch.many else facts[0])
    return outcomes


def exit_code(outcomes: list[Outcome]) -> int:
    """0 if all went well, 1 if a file is at fault, 2 if only requests are."""
    return min((outcome.error.exit_code for outcome in outcomes if outcome.error), default=0)


def finish(outcomes: list[Outcome]) -> None:
    """Exit with the code of the worst outcome, if any failed."""
    if code := exit_code(outcomes):
        raise typer.Exit(code)


def _outcomes(batch: Batch, work: Work, manner: Manner, verb: str) -> Iterator[Outcome]:
    if len(batch.jobs) == 1:
        with progress(f"{verb} {batch.jobs[0].source}", manner.quiet) as done:
            outcomes = list(work(batch.jobs, done))
        yield from outcomes
        return
    if manner.threads == 1:
        yield from work(batch.jobs, unheard)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(manner.threads) as pool:
        try:
            yield from pool.map(lambda job: next(work([job], unheard)), batch.jobs)
        except BaseException:
            # Pictures in hand are finished, which leaves no half of one; the others are not begun.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
