"""`s2lic weights verify`: checks that weights files are valid."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from s2lic.cli.batch import RunOptions, each, finish, run
from s2lic.cli.jobs import InputFilter, find_inputs
from s2lic.cli.options import Json, Quiet, Recursive, Verbose
from s2lic.cli.reporting import one_line
from s2lic.cli.streams import print_json, print_note
from s2lic.coding.pipeline import Job, JobFacts, JobOutcome

Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FILE...]", help="Weights files and folders. [default: shipped weights]"),
]
WEIGHTS = InputFilter("weights files", lambda path: path.suffix == ".safetensors")


def verify(
    sources: Files = None,
    recursive: Recursive = False,
    quiet: Quiet = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Check weights files: their hash if they ship, their structure, tables and configuration."""
    from s2lic.weights.manifest import rows

    batch = find_inputs(sources or [str(row.path) for row in rows()], WEIGHTS, recursive)

    def show(outcome: JobOutcome) -> None:
        if not quiet:
            typer.echo(line(outcome.job.source, outcome.facts))

    finish(run(batch, each(look), show, RunOptions(quiet, as_json, verbose), "verifying"))


def look(job: Job) -> JobFacts:
    """The facts of one file. Raises InputMissingError or WeightsError."""
    from s2lic.weights.verify import verified

    return asdict(verified(Path(job.source)))


def line(source: str, facts: JobFacts) -> str:
    """The facts of a valid file in one line."""
    size = f"{facts['bytes']} bytes, {facts['parameters']} parameters"
    return one_line(f"{source}: valid; {facts['config']}, model {facts['model_id']}, {size}, {facts['standing']}")


def tell_written(path: Path, quiet: bool, as_json: bool) -> None:
    """Verify a file that was just written, and print its summary. Raises WeightsError."""
    facts = look(Job(str(path)))
    if as_json:
        print_json({"output": str(path), **facts})
    else:
        print_note(line(str(path), facts), quiet)
