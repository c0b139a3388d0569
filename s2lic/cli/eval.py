"""`s2lic eval`: measures and compares the rate-distortion performance of codecs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2lic.cli.eval_request import (
    codecs_of,
    refuse_twice,
    selections_of,
    settings_of,
    settings_of_ours,
    split_names,
    words_of,
)
from s2lic.cli.jobs import InputFilter, find_inputs
from s2lic.cli.options import Device, Json, Quiet, Recursive
from s2lic.cli.progress import progress
from s2lic.cli.streams import print_json, print_note
from s2lic.errors import IncompleteEvaluationError, UsageError
from s2lic.runtime import DeviceName

if TYPE_CHECKING:
    from s2lic.eval.records import Evaluation

KODAK = "kodak"
DEFAULT = ("s2lic,avif,jpeg",)
Sources = Annotated[
    list[str], typer.Argument(metavar="PATH...", help="Pictures, folders of pictures, or kodak for the Kodak pictures.")
]
CodecNames = Annotated[
    list[str] | None,
    typer.Option(
        "--codec",
        help="Codecs, separated by commas: s2lic, jpeg, webp, avif, jpeg2000, jxl, heif, vtm, compressai. Or a command "
        "as 'NAME=cjxl {in} {out} -q {q}', with ' :: djxl {in} {out}' behind it if Pillow cannot decode. Repeatable. "
        "[default: s2lic,avif,jpeg]",
    ),
]
ModelNames = Annotated[
    list[str] | None,
    typer.Option("--model", help="Shipped weights by name, or a weights file. Repeatable: a curve for each."),
]
Qualities = Annotated[
    list[str] | None,
    typer.Option(
        "--qualities",
        help="Qualities of the first codec, separated by commas. CODEC=LIST for another codec. Repeatable.",
    ),
]
Baselines = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        help="Codecs to compare against, separated by commas: measured, or published (published:NAME if both). "
        "[default: the second codec, and on Kodak also published vtm]",
    ),
]
Out = Annotated[
    Path, typer.Option("--out", help="The folder for encoded files and results. An interrupted evaluation continues.")
]
Jobs = Annotated[int, typer.Option("-j", "--jobs", min=1, help="How many pictures to process at a time.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="An option of a codec, such as vtm.encoder=PATH. Repeatable.")
]


class Engine(str, Enum):
    """What `--engine` takes."""

    processes = "processes"
    ray = "ray"


EngineName = Annotated[
    Engine, typer.Option("--engine", help="Who runs the -j processes: this command, or Ray (extra bulk), on CPUs.")
]
Address = Annotated[
    str | None,
    typer.Option("--address", help="A Ray cluster; its machines share the pictures and --out. [default: this machine]"),
]


def eval(  # noqa: A001 the command's name
    sources: Sources,
    codec: CodecNames = None,
    qualities: Qualities = None,
    baseline: Baselines = None,
    out: Out = Path("eval"),
    jobs: Jobs = 1,
    model: ModelNames = None,
    device: Device = DeviceName.cpu,
    settings: Settings = None,
    engine: EngineName = Engine.processes,
    address: Address = None,
    recursive: Recursive = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure codecs on pictures: rate, distortion, time, memory and BD-rate."""
    from s2lic.eval.records import record
    from s2lic.eval.run import EvalRequest, check, evaluate

    names, models = codec or list(DEFAULT), model or []
    options = settings_of([*settings_of_ours(models, device), *(settings or [])])
    selections = selections_of(codecs_of(names), qualities or [], options, models)
    on_ray = engine is Engine.ray
    _check_engine(on_ray, address, device)
    request = EvalRequest(
        selections, tuple(split_names(baseline or "")), out.resolve() if on_ray else out, jobs, on_ray, address
    )
    check(request)
    paths = _paths(sources, recursive)
    words = words_of(names, qualities or [], baseline, models, settings or [], jobs)
    with progress("measuring", quiet) as done:
        found = evaluate(paths, request, words, done)
    if found.samples:
        text = write(found, out)
        if as_json:
            print_json(record(found))
        elif not quiet:
            typer.echo(text)
        print_note(f"{out}: evaluation.json, samples.csv, results.md, rd.png, report.html, results/, files/", quiet)
    _complain(found, out)


def _check_engine(on_ray: bool, address: str | None, device: DeviceName) -> None:
    """Raises UsageError."""
    if address is not None and not on_ray:
        raise UsageError("--address is that of a Ray cluster; give --engine ray too")
    if on_ray and device is not DeviceName.cpu:
        raise UsageError("--engine ray measures on CPUs; leave --device out, or --engine")


def write(found: Evaluation, out: Path) -> str:
    """Writes record, pages and plot; returns the page. Raises OutputUnwritableError, ExtraMissingError."""
    from s2lic.eval import page
    from s2lic.eval.html.write import write_report
    from s2lic.eval.plot import rd_plot
    from s2lic.eval.records import save
    from s2lic.eval.viewing import views
    from s2lic.files import write_atomically

    save(found, out)
    text = page.to_markdown(found)
    write_atomically(out / page.NAME, text.encode(), force=True)
    write_atomically(out / page.PLOT, rd_plot(found), force=True)
    write_report(found, out, views(found, out))
    return text


def _complain(found: Evaluation, out: Path) -> None:
    """Raises IncompleteEvaluationError if anything failed."""
    for row in found.failures:
        print_note(f"s2lic: {row}", quiet=False)
    kept = f"{len(found.samples)} measurements are kept in {out}" if found.samples else "nothing was measured"
    if found.failures:
        raise IncompleteEvaluationError(
            f"{len(found.failures)} failed (see above); {kept}. Fix or leave out what failed, and run the same command "
            "again to measure the rest"
        )


def _paths(sources: Sequence[str], recursive: bool) -> list[Path]:
    """Raises UsageError, InputMissingError, KodakChecksumError."""
    from s2lic.eval.kodak import find_kodak
    from s2lic.images.names import is_picture_name

    wanted, found = InputFilter("pictures", is_picture_name), []
    for source in sources:
        if source == KODAK:
            found += find_kodak()
        else:
            found += [Path(job.source) for job in find_inputs([source], wanted, recursive).jobs]
    refuse_twice([str(path.resolve()) for path in found])
    return found
