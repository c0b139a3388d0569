"""`s2lic bench`: measurements of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2lic.cli.options import Device, Json, Model, Quiet, counts
from s2lic.cli.streams import print_json, print_note
from s2lic.runtime import DeviceName, pick_device

if TYPE_CHECKING:
    from s2lic.eval.bench.records import BenchOutcome

Picture = Annotated[str | None, typer.Argument(metavar="[IMAGE]", help="What to code. [default: a sample photograph]")]
Sizes = Annotated[str, typer.Option("--sizes", help="Sides of square pictures in pixels, by commas.")]
Threads = Annotated[str, typer.Option("--threads", help="Numbers of threads, by commas.")]
Peers = Annotated[str, typer.Option("--peers", help="Codecs to set beside ours, by commas; none for none.")]
Repeats = Annotated[int, typer.Option("--repeats", min=1, help="Runs to take the median of, after one to warm up.")]
Limit = Annotated[
    float, typer.Option("--limit", min=1, max=1e6, help="Seconds for one case; what would not fit is not tried.")
]
Minutes = Annotated[float, typer.Option("--minutes", min=0.1, help="For all cases; what would not fit is not tried.")]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Pictures that our codec codes at once.")]
Out = Annotated[Path | None, typer.Option("--out", help="Put performance.json, .md and .png into this folder.")]


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
    """Time encoding and decoding by stage, over sizes and threads, beside other codecs."""
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
    """One case on one line, as it is done."""
    case, found = outcome.case, outcome.measured
    words = f"{case.label} {case.side} px, {case.threads} thread{'s' * (case.threads > 1)}: "
    if found is None:
        return words + outcome.problem
    return words + f"{found.encode.seconds:.3g} s to encode, {found.decode.seconds:.3g} s to decode"
