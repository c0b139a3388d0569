"""`s2lic lab calibrate`: finds attention heads that gain from calibrating their sinks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from s2lic.cli.options import Force, Json, Quiet
from s2lic.cli.progress import progress
from s2lic.cli.streams import print_json, say, write_output
from s2lic.cli.weights.place import check_weights
from s2lic.defaults import DEFAULT_QUALITY

Weights = Annotated[Path, typer.Argument(metavar="WEIGHTS", help="A weights file of a model with softmax attention.")]
Data = Annotated[Path, typer.Option("--data", help="A folder of images to measure on.")]
Target = Annotated[
    str, typer.Option("-o", "--output", help="The weights file to write. It is a new model with its own id.")
]
Quality = Annotated[
    float, typer.Option("-q", "--quality", min=0, max=100, help="The quality at which heads are judged.")
]


def calibrate(
    weights: Weights,
    data: Data,
    output: Target,
    quality: Quality = DEFAULT_QUALITY,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the attention heads of a model that gain from calibrating their sinks (ACT)."""
    from s2lic.lab.calibrate import calibrated

    check_weights(Path(output), force, [weights])
    with progress("testing heads", quiet) as done:
        own, found = calibrated(weights, data, round(100 * quality), done)
    write_output(output, own, force)
    if as_json:
        print_json({"kept": [list(head) for head in found.kept], "before": found.before, "after": found.after})
    elif not quiet:
        say(f"{output}: {len(found.kept)} heads kept; R + lambda D {found.before:.5f}, then {found.after:.5f}")
