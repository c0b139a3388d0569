"""`s2lic lab mqar`: tests which blocks can look values up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from s2lic.cli.options import Json, Quiet
from s2lic.cli.progress import progress
from s2lic.cli.streams import print_json

if TYPE_CHECKING:
    from s2lic.lab.mqar import Recall, RecallTask

Blocks = Annotated[
    str, typer.Option("--blocks", help="Keys of mixers and MLPs, separated by commas. `s2lic lab blocks` lists them.")
]
Form = Annotated[
    str, typer.Option("--form", help="patches: a pair fills one position. sequence: key and value are neighbours.")
]
Side = Annotated[int, typer.Option("--side", min=2, help="Height and width of the map and of the windows.")]
Pairs = Annotated[int, typer.Option("--pairs", min=1, help="Pairs of a key and a value. Each is queried once.")]
Vocabulary = Annotated[
    int, typer.Option("--vocabulary", min=4, help="Number of words. Half are keys, half are values.")
]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Training steps of 64 maps each.")]
Width = Annotated[int, typer.Option("--width", min=8, help="Channels, a multiple of 8.")]
Seed = Annotated[int, typer.Option("--seed", help="The seed of weights and maps.")]


def mqar(
    blocks: Blocks = "swinv2,base_conv,bottleneck,mlp",
    form: Form = "patches",
    side: Side = 8,
    pairs: Pairs = 8,
    vocabulary: Vocabulary = 8192,
    steps: Steps = 300,
    width: Width = 64,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train small models to recall values by their keys: which blocks can look values up."""
    from s2lic.lab.mqar import Recall, RecallTask, check, recall

    task, names, found = RecallTask(form, side, pairs, vocabulary), blocks.split(","), list[Recall]()
    check(names, width)
    for number, name in enumerate(names, 1):
        with progress(f"training {name}, {number} of {len(names)}", quiet) as done:
            found.append(recall(name, task, steps, width, seed=seed, done=done))
    if as_json:
        print_json([row.as_dict() for row in found])
    elif not quiet:
        _print(found, task)


def _print(found: list[Recall], task: RecallTask) -> None:
    typer.echo(f"{'block':15} {'recall':>7} {'loss':>7} {'parameters':>10}")
    for row in found:
        typer.echo(f"{row.block:15} {100 * row.accuracy:6.1f}% {row.loss:7.3f} {row.parameters:10,}")
    where = f"{task.form}, {task.pairs} pairs on {task.side} x {task.side}"
    typer.echo(f"\nCorrect values out of {task.vocabulary // 2}, after {found[0].steps} steps; {where}.")
