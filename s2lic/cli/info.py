"""`s2lic info`: prints headers. It loads neither weights nor torch."""

from __future__ import annotations

import s2lic
from s2lic.cli.batch import RunOptions, each, finish, run
from s2lic.cli.jobs import find_inputs
from s2lic.cli.options import Inputs, Json, Quiet, Recursive, Verbose
from s2lic.cli.reporting import one_line
from s2lic.cli.streams import CODED, read_input, say
from s2lic.coding.pipeline import Job, JobFacts, JobOutcome
from s2lic.defaults import DEFAULT_MAX_PIXELS


def info(
    sources: Inputs,
    recursive: Recursive = False,
    quiet: Quiet = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Print the headers of files. With --quiet, only check that the files are complete."""

    def print_facts(outcome: JobOutcome) -> None:
        if not quiet:
            show(outcome)

    batch = find_inputs(sources, CODED, recursive)
    finish(run(batch, each(look), print_facts, RunOptions(quiet, as_json, verbose), "reading"))


def look(job: Job) -> JobFacts:
    """The facts of one file. Raises InputMissingError, InputTooLongError or a BitstreamError."""
    return {"file": job.source, **s2lic.info(read_input(job.source, DEFAULT_MAX_PIXELS))}


def show(outcome: JobOutcome) -> None:
    """Prints the facts of one file, one per line."""
    for name, value in outcome.facts.items():
        say(f"{name.replace('_', ' '):<18}{one_line(str(value))}")
