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

TABLE_HEAD = "     bytes        pixels     bpp quality  model          tiles                       file"


def info(
    sources: Inputs,
    recursive: Recursive = False,
    quiet: Quiet = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Print the headers of files. With --quiet, only check that the files are complete."""
    batch = find_inputs(sources, CODED, recursive)
    head = iter([TABLE_HEAD])

    def print_facts(outcome: JobOutcome) -> None:
        if quiet:
            return
        if not batch.many:
            show(outcome)
            return
        for line in (*head, table_line(outcome)):
            say(line)

    finish(run(batch, each(look), print_facts, RunOptions(quiet, as_json, verbose), "reading"))


def look(job: Job) -> JobFacts:
    """The facts of one file. Raises InputMissingError, InputTooLongError or a BitstreamError."""
    return {"file": job.source, **s2lic.info(read_input(job.source, DEFAULT_MAX_PIXELS))}


def table_line(outcome: JobOutcome) -> str:
    """The facts of one file of several."""
    facts = outcome.facts
    pixels, tiles = f"{facts['width']} x {facts['height']}", str(facts["tiling"]).removesuffix(" tiles")
    return (
        f"{facts['bytes']:>10} {pixels:>13} {facts['bpp']:7.4f} {facts['quality']:7.2f}  {facts['model']:<14} "
        f"{'1' if tiles == 'one stream' else tiles:<27} {one_line(str(facts['file']))}"
    )


def show(outcome: JobOutcome) -> None:
    """Prints the facts of one file, one per line."""
    for name, value in outcome.facts.items():
        say(f"{name.replace('_', ' '):<18}{one_line(str(value))}")
