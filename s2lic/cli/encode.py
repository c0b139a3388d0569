"""`s2lic encode`: pictures to s2lic files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from s2lic.cli.batch import RunOptions, code
from s2lic.cli.encode_request import EncodedPicture, InputPicture, encode_request, map_file
from s2lic.cli.jobs import STANDARD, InputFilter, Outputs, all_inputs, name_output, plan
from s2lic.cli.open_codec import model_file, pick_runtime, shared_codec
from s2lic.cli.options import (
    Cond,
    Device,
    FilesFrom,
    Force,
    InputsOutput,
    Jobs,
    Json,
    MaxPixels,
    Model,
    Outdir,
    Output,
    Quiet,
    Recursive,
    Runtime,
    RuntimeName,
    SkipExisting,
    Strip,
    Tune,
    Verbose,
)
from s2lic.cli.streams import check_target, is_whole_file, print_note, stdin, write_output
from s2lic.coding.options import EncodeOptions
from s2lic.coding.pipeline import SKIPPED, Job, JobFacts, Stages
from s2lic.container.boxes import read_header
from s2lic.defaults import DEFAULT_MAX_PIXELS, EFFORT_MAX, EFFORTS, SIDE, SIDE_MAX, SIDE_MIN
from s2lic.runtime import DeviceName

Quality = Annotated[
    float | None,
    typer.Option("-q", "--quality", min=0, max=100, help="Higher is better and takes more bytes. [default: 50]"),
]
TargetBpp = Annotated[
    float | None,
    typer.Option("--target-bpp", help="Bits per pixel to meet, exceeded by 1 % at most, instead of a quality."),
]
TargetSize = Annotated[
    int | None, typer.Option("--target-size", help="Bytes to meet, exceeded by 1 % at most, instead of a quality.")
]
TargetPsnr = Annotated[float | None, typer.Option("--target-psnr", help="PSNR in dB to meet, instead of a quality.")]
TargetMsSsim = Annotated[
    float | None, typer.Option("--target-msssim", help="MS-SSIM in dB to meet, -10 log10(1 - MS-SSIM).")
]
TargetSsimulacra2 = Annotated[
    float | None, typer.Option("--target-ssimulacra2", max=100, help="SSIMULACRA2 to meet: 70 is high quality.")
]
Effort = Annotated[
    int | None,
    typer.Option(
        "-e",
        "--effort",
        min=0,
        max=EFFORT_MAX,
        help="Rounds of the search for a smaller file; 0 is fastest.",
        show_default=f"{EFFORTS['visual']}, {EFFORTS['psnr']} with --tune psnr",
    ),
]
RoiMap = Annotated[
    str | None,
    typer.Option(
        "--roi",
        metavar="MAP",
        help="A grey picture of what matters: white is coded finer, black coarser. Or the word saliency.",
    ),
]
Adapt = Annotated[
    int, typer.Option("--adapt", min=0, help="Steps to train adapters of g_a on the picture; needs attention.")
]
Tile = Annotated[
    int | None,
    typer.Option(
        "--tile",
        min=SIDE_MIN,
        max=SIDE_MAX,
        help=f"Side of the tiles of a large picture; smaller ones take less memory. [default: {SIDE}]",
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse pictures that would lose something before they are coded.")
]
# How the line of a file shows the fidelity that a target reached, by the key of its facts.
REACHED = {"psnr": "{:.2f} dB", "msssim_db": "MS-SSIM {:.2f} dB", "ssimulacra2": "SSIMULACRA2 {:.1f}"}


def encode(
    sources: InputsOutput = None,
    output: Output = None,
    outdir: Outdir = None,
    files_from: FilesFrom = None,
    recursive: Recursive = False,
    quality: Quality = None,
    target_bpp: TargetBpp = None,
    target_size: TargetSize = None,
    target_psnr: TargetPsnr = None,
    target_msssim: TargetMsSsim = None,
    target_ssimulacra2: TargetSsimulacra2 = None,
    effort: Effort = None,
    roi: RoiMap = None,
    cond: Cond = None,
    adapt: Adapt = 0,
    strip: Strip = False,
    strict: Strict = False,
    model: Model = None,
    tune: Tune = None,
    runtime: Runtime = RuntimeName.auto,
    device: Device = DeviceName.cpu,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
    tile: Tile = None,
    jobs: Jobs = 1,
    force: Force = False,
    skip_existing: SkipExisting = False,
    quiet: Quiet = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Encode pictures."""
    from s2lic.images.names import is_picture_name, unreadable_pictures

    inputs, output = name_output(all_inputs(sources, files_from), output, outdir, coded=True)
    options = {"quality": quality, "effort": effort, "strip": strip, "strict": strict}
    rates = {"target_bpp": target_bpp, "target_size": target_size, "target_psnr": target_psnr}
    perceptual = {"target_msssim": target_msssim, "target_ssimulacra2": target_ssimulacra2}
    request = encode_request(roi, cond, adapt, max_pixels, **options, **rates, **perceptual)
    outputs = Outputs(output, outdir, beside=".s2lic", apart=".s2lic")
    others = (map_file(roi), cond, model_file(model))
    wanted = InputFilter("pictures", is_picture_name, unreadable_pictures)
    batch = plan(inputs, outputs, wanted, recursive, as_json, others)
    picked = pick_runtime(runtime, verbose)
    codec = shared_codec(
        device, model, max_pixels, jobs, len(batch.jobs), tile, tune=tune and tune.value, runtime=picked
    )

    request.check_runtime(picked)
    stages = Encoding(request.options, max_pixels, force, skip_existing, quiet)
    work = Stages(stages.begin, request.encode, stages.end).work(codec, device)
    code(batch, work, line, RunOptions(quiet, as_json, verbose, jobs), "encoding")


@dataclass(frozen=True)
class Encoding:
    """What comes before and after encoding: a picture is read, a file is written."""

    options: EncodeOptions
    max_pixels: int
    force: bool
    skip_existing: bool
    quiet: bool

    def begin(self, job: Job) -> InputPicture | JobFacts:
        from s2lic.images.load import read_image

        target = job.target or STANDARD
        if self.skip_existing and is_whole_file(target):
            return {"status": SKIPPED}
        check_target(target, self.force or self.skip_existing)
        source = stdin() if job.source == STANDARD else job.source
        picture = read_image(source, self.max_pixels, self.options.strict, self.options.strip)
        notes = [note.text for note in picture.notes]
        for note in notes:
            print_note(f"s2lic: note: {job.source}: {note}", self.quiet)
        return InputPicture(picture.image, notes)

    def end(self, job: Job, picture: InputPicture, encoded: EncodedPicture, seconds: float) -> JobFacts:
        data = encoded.data
        write_output(job.target or STANDARD, data, self.force or self.skip_existing)
        quality, most = read_header(data).quality / 100, self.options.bytes_for(picture.pixels)
        if quality == 100 and most is not None and len(data) < 0.99 * most:
            picture.notes.append("the target is more than quality 100 takes, which is the most")
            print_note(f"s2lic: note: {job.source}: {picture.notes[-1]}", self.quiet)
        size = {"width": picture.image.width, "height": picture.image.height, "bytes": len(data)}
        facts = {**size, "bpp": 8 * len(data) / picture.pixels, "seconds": seconds, "notes": picture.notes}
        return {"quality": quality, **facts, **encoded.reached}


def line(facts: JobFacts) -> str:
    """What was written, in one line."""
    reached = [form.format(facts[key]) for key, form in REACHED.items() if key in facts]
    return ", ".join([f"{facts['bytes']} bytes, {facts['bpp']:.4f} bpp", *reached, f"{facts['seconds']:.2f} s"])
