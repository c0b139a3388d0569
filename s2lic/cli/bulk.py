"""`s2lic bulk`: encodes and decodes datasets, on this machine or a Ray cluster."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s2lic.cli.decode import Background, Format, extension_of
from s2lic.cli.encode import (
    Effort,
    Quality,
    Strict,
    TargetBpp,
    TargetMsSsim,
    TargetPsnr,
    TargetSize,
    TargetSsimulacra2,
)
from s2lic.cli.options import Device, Json, MaxPixels, Model, Quiet, Strip, Tune
from s2lic.cli.progress import progress
from s2lic.cli.streams import print_json, print_note
from s2lic.coding.options import DecodeOptions, EncodeOptions
from s2lic.defaults import DEFAULT_MAX_PIXELS
from s2lic.runtime import DeviceName

if TYPE_CHECKING:
    from s2lic.bulk.job import BulkJob
    from s2lic.bulk.run import BulkSummary


class Storage(str, Enum):
    """Values of `--to`: how DEST stores the images."""

    folder = "folder"
    shards = "shards"
    parquet = "parquet"


Source = Annotated[
    str, typer.Argument(help="A folder or URL (s3://, gs://, http://) of files, WebDataset .tar shards or .parquet.")
]
Dest = Annotated[str, typer.Argument(help="A folder or URL. Run the command again to resume.")]
To = Annotated[Storage | None, typer.Option("--to", help="Storage of DEST. [default: that of SOURCE]")]
PartSize = Annotated[int, typer.Option("--part", min=1, help="Images per new shard or Parquet file.")]
Column = Annotated[str, typer.Option("--column", help="Column of the Parquet files to read.")]
Workers = Annotated[
    int | None,
    typer.Option("-j", "--workers", min=1, help="Number of worker processes. [default: one per CPU or GPU]"),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        help="A Ray cluster that includes this machine: auto, or HEAD:6379. [default: this machine]",
    ),
]
Psnr = Annotated[bool, typer.Option("--psnr", help="Decode each file, and store its PSNR in shards and Parquet files.")]
Anew = Annotated[bool, typer.Option("--force", help="Start over instead of resuming.")]


def encode(
    source: Source,
    dest: Dest,
    to: To = None,
    part: PartSize = 1000,
    column: Column = "image",
    quality: Quality = None,
    target_bpp: TargetBpp = None,
    target_size: TargetSize = None,
    target_psnr: TargetPsnr = None,
    target_msssim: TargetMsSsim = None,
    target_ssimulacra2: TargetSsimulacra2 = None,
    effort: Effort = None,
    psnr: Psnr = False,
    strip: Strip = False,
    strict: Strict = False,
    model: Model = None,
    tune: Tune = None,
    device: Device = DeviceName.cpu,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
    workers: Workers = None,
    address: Address = None,
    force: Anew = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Encode a dataset of images."""
    rates = {"quality": quality, "target_bpp": target_bpp, "target_size": target_size, "target_psnr": target_psnr}
    perceptual = {"target_msssim": target_msssim, "target_ssimulacra2": target_ssimulacra2}
    options = EncodeOptions(**rates, **perceptual, effort=effort, strip=strip, strict=strict)  # type: ignore[arg-type]
    own = {"psnr": psnr, "column": column}
    job = _job(options, model, tune and tune.value, device, max_pixels, **own)
    _run(job, source, dest, to, part, workers, address, force, quiet, as_json)


def decode(
    source: Source,
    dest: Dest,
    to: To = None,
    part: PartSize = 1000,
    column: Column = "s2lic",
    format_name: Format = None,
    background: Background = None,
    strip: Strip = False,
    model: Model = None,
    device: Device = DeviceName.cpu,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
    workers: Workers = None,
    address: Address = None,
    force: Anew = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Decode a dataset of s2lic files, to PNG or another format."""
    from s2lic.images.save import colour_of

    if background is not None:
        colour_of(background)
    own = {"column": column, "extension": extension_of(format_name, None), "background": background}
    job = _job(DecodeOptions(strip=strip), model, None, device, max_pixels, **own)
    _run(job, source, dest, to, part, workers, address, force, quiet, as_json)


def _job(
    options: EncodeOptions | DecodeOptions,
    model: str | None,
    tune: str | None,
    device: DeviceName,
    max_pixels: int,
    **own: Any,
) -> BulkJob:
    """Check the model and build the job. Raises UnknownConfigError, InputMissingError, ExtraMissingError."""
    from s2lic.bulk.session import check_extra
    from s2lic.cli.open_codec import model_file
    from s2lic.files import check_input
    from s2lic.weights import manifest

    check_extra()
    from s2lic.bulk.job import BulkJob

    if (file := model_file(model)) is not None:
        check_input(file)
    else:
        manifest.by_config(model, tune)
    return BulkJob(options, "", model, tune, device, max_pixels, **own)


def _run(
    job: BulkJob,
    source: str,
    dest: str,
    to: Storage | None,
    part: int,
    workers: int | None,
    address: str | None,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    from s2lic.bulk.plan import plan
    from s2lic.bulk.run import run

    wanted = plan(job, to and to.value, source, dest, part, force)

    def report(row: dict[str, Any]) -> None:
        print_note(f"s2lic: {row['source']}: {row['message']}", quiet=False)

    with progress("encoding" if job.encodes else "decoding", quiet) as done:
        summary = run(wanted, address, workers, done, report)
    if as_json:
        print_json(summary.as_json())
    else:
        print_note(_line(summary, len(wanted.tasks)), quiet)
    if codes := summary.exit_codes:
        raise typer.Exit(min(codes))


def _line(summary: BulkSummary, tasks: int) -> str:
    facts = summary.as_json()
    counts = "{done} done, {skipped} skipped, {failed} failed; {bytes} bytes, {bpp:.4f} bpp".format(**facts)
    if not tasks:
        return counts
    speed = "{seconds:.1f} s, {start_up_seconds:.1f} s until the first result; {pictures_per_second:.1f} images/s"
    return f"{counts}; {speed.format(**facts)}, {facts['megapixels_per_second']:.3f} megapixels/s"
