"""`s2lic bench`: measures speed on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2lic.cli.options import Device, Json, Model, Quiet, counts
from s2lic.cli.streams import print_json, print_note
from s2lic.runtime import DeviceName, pick_device

if TYPE_CHECKING:
    from s2lic.eval.bench.records import BenchOutcome

Picture = Annotated[
    str | None, typer.Argument(metavar="[IMAGE]", help="The image to encode. [default: a sample photograph]")
]
Sizes = Annotated[str, typer.Option("--sizes", help="Sides of square images in pixels, separated by commas.")]
Threads = Annotated[str, typer.Option("--threads", help="Numbers of threads, separated by commas.")]
Peers = Annotated[str, typer.Option("--peers", help="Codecs to compare with, separated by commas, or none.")]
Repeats = Annotated[int, typer.Option("--repeats", min=1, help="Timed runs, after one to warm up. The median counts.")]
Limit = Annotated[
    float,
    typer.Option(
        "--limit", min=1, max=1e6, help="Time limit for one case in seconds. Cases that would exceed it are skipped."
    ),
]
Minutes = Annotated[
    float,
    typer.Option(
        "--minutes", min=0.1, help="Time limit for all cases in minutes. Cases that would exceed it are skipped."
    ),
]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Images per batch for s2lic.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write performance.json, .md and .png into this folder.")]


def speed(
    source: Picture = None,
    sizes: Sizes = "256,512,1024,2048,4096",
    threads: Threads = "1,2",
    peers: Peers = "s2lic-e0,avif,mbt2018-mean,elic,cheng2020-attn",
    model: Model = None,
    device: Device = DeviceName.cpu,
    batch: Batch = 1,
    repeats: Repeats = 3,
    limit: Limit = 90.0,
    minutes: Minutes = 12.0,
    out: Out = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Time encoding and decoding by stage, for several sizes and threads, with other codecs for comparison."""
    from s2lic.eval.bench.page import describe
    from s2lic.eval.bench.run import BenchRequest, bench
    from s2lic.eval.demo import SAMPLE

    request = BenchRequest(
        sides=tuple(counts("--sizes", sizes)),
        threads=tuple(counts("--threads", threads)),
        peers=() if peers == "none" else tuple(peers.split(",")),
        repeats=repeats,
        limit_s=limit,
        minutes=minutes,
        model=model,
        device=pick_device(device),
        batch=batch,
    )

    def tell(count: int, of: int, outcome: BenchOutcome) -> None:
        print_note(f"{count}/{of}  {_line(outcome)}", quiet)

    found = bench(request, source or str(SAMPLE), out, tell)
    if as_json:
        print_json(found.to_json())
    elif not quiet:
        typer.echo(describe(found))


def _line(outcome: BenchOutcome) -> str:
    """The result of one case in one line."""
    case, found = outcome.case, outcome.measured
    words = f"{case.label} {case.side} px, {case.threads} thread{'s' * (case.threads > 1)}: "
    if found is None:
        return words + outcome.problem
    return words + f"{found.encode.seconds:.3g} s to encode, {found.decode.seconds:.3g} s to decode"
