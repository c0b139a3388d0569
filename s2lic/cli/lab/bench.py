"""`s2lic lab bench`: checks and times attention kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from s2lic.cli.options import Json, Quiet, counts
from s2lic.cli.progress import progress
from s2lic.cli.streams import print_json
from s2lic.runtime import with_progress

if TYPE_CHECKING:
    from s2lic.lab.attnbench.run import AttentionResult

Kernels = Annotated[
    str,
    typer.Option(
        "--kernels", help="Kernels, separated by commas: dense, fused, streamed, windows, neighbourhoods, listed."
    ),
]
Masks = Annotated[str | None, typer.Option("--masks", help="Mask patterns, separated by commas. [default: all]")]
Resolutions = Annotated[
    str, typer.Option("--resolutions", help="Image sizes, separated by commas: 256, kodak, 1080p, uhd.")
]
Strides = Annotated[
    str, typer.Option("--strides", help="Pixels per token in each direction, separated by commas: 2, 4, 8.")
]
Ranks = Annotated[
    str, typer.Option("--ranks", help="Numbers of simulated ranks that share the tokens, separated by commas.")
]
Dtype = Annotated[str, typer.Option("--dtype", help="Number type: float32 or float64.")]
Backward = Annotated[bool, typer.Option("--backward", help="Also time backward passes.")]
Repeats = Annotated[int, typer.Option("--repeats", min=1, help="Timed runs, after one to warm up. The median counts.")]
Gigamacs = Annotated[
    float, typer.Option("--limit", help="Skip cases with more than this many billion multiply-accumulates.")
]
Memory = Annotated[int, typer.Option("--memory", min=1, help="Memory limit per case in MiB.")]
WIDTH = 120  # a narrower table would break words


def bench(
    kernels: Kernels = "dense,fused,streamed,windows,neighbourhoods,listed",
    masks: Masks = None,
    resolutions: Resolutions = "256,kodak",
    strides: Strides = "8",
    ranks: Ranks = "1,4",
    dtype: Dtype = "float32",
    backward: Backward = False,
    repeats: Repeats = 3,
    limit: Gigamacs = 10.0,
    memory: Memory = 2048,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Check and time attention kernels under the masks of the codec."""
    from s2lic.lab.attnbench.masks import PATTERNS
    from s2lic.lab.attnbench.run import DIRECTIONS, FORWARD, AttentionSettings, cases, measure

    wanted = list(PATTERNS) if masks is None else masks.split(",")
    sizes = counts("--strides", strides), counts("--ranks", ranks)
    settings = AttentionSettings(dtype, repeats=repeats, macs_max=limit * 1e9, memory=memory * 2**20)
    directions = DIRECTIONS if backward else (FORWARD,)
    todo = cases(kernels.split(","), wanted, resolutions.split(","), *sizes, directions)
    with progress("timing", quiet) as done:
        rows = [measure(case, settings) for case in with_progress(todo, len(todo), done)]
    if as_json:
        print_json([row.as_dict() for row in rows])
    elif not quiet:
        _print(rows)


def _print(rows: list[AttentionResult]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("kernel", "mask", "pass")
    for name in ("tokens", "ranks", "result", "error", "ms", "MiB", "MMAC", "kB sent"):
        table.add_column(name, justify="right")
    for row in rows:
        cells = (
            row.error,
            row.ms50,
            row.peak_mib,
            row.macs / 1e6,
            None if row.sent_bytes is None else row.sent_bytes / 1e3,
        )
        shown = (_cell(cells[0], ".0e"), *(_cell(cell, ",.1f") for cell in cells[1:]))
        table.add_row(row.kernel, row.mask, row.direction, f"{row.tokens:,}", str(row.ranks), row.status, *shown)
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    console.print(table)


def _cell(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
