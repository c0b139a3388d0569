"""`s2lic decode`: s2lic files to pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from s2lic.cli.batch import RunOptions, code
from s2lic.cli.jobs import STANDARD, Outputs, all_inputs, name_output, plan
from s2lic.cli.open_codec import model_file, pick_runtime, shared_codec
from s2lic.cli.options import (
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
    Verbose,
)
from s2lic.cli.streams import CODED, check_target, is_whole_picture, print_note, read_input, write_output
from s2lic.coding.options import Crop, DecodeOptions
from s2lic.coding.pipeline import SKIPPED, Job, JobFacts, Stages
from s2lic.container.boxes import Limits, unpack
from s2lic.defaults import DEFAULT_MAX_PIXELS
from s2lic.errors import OutputFormatError, UsageError
from s2lic.files import is_stream
from s2lic.runtime import DeviceName

if TYPE_CHECKING:
    from PIL import Image

    from s2lic.cli.open_codec import AnyCodec

Format = Annotated[
    str | None,
    typer.Option("--format", help="Format of outputs that -o does not name: png, jpg, webp... [default: png]"),
]
SaveQuality = Annotated[
    int | None,
    typer.Option(
        "-q",
        "--quality",
        min=0,
        max=100,
        help="Of JPEG, WebP, AVIF, HEIC and JPEG XL. [default: JPEG 95, AVIF 100, others lossless]",
    ),
]
Background = Annotated[
    str | None,
    typer.Option("--background", help="Colour to put behind transparent pictures: white, #ffe4c4..."),
]

CropWords = Annotated[
    str | None,
    typer.Option("--crop", metavar="X,Y,W,H", help="Decode only this part: left, top, width, height in pixels."),
]


class PrecisionName(str, Enum):
    """What `--precision` takes."""

    float32 = "float32"
    auto = "auto"


Precision = Annotated[
    PrecisionName,
    typer.Option("--precision", help="Of the last network; auto takes bfloat16 where faster, a level or two off."),
]


def decode(
    sources: InputsOutput = None,
    output: Output = None,
    outdir: Outdir = None,
    files_from: FilesFrom = None,
    recursive: Recursive = False,
    format_name: Format = None,
    crop: CropWords = None,
    save_quality: SaveQuality = None,
    background: Background = None,
    strip: Strip = False,
    model: Model = None,
    runtime: Runtime = RuntimeName.auto,
    device: Device = DeviceName.cpu,
    precision: Precision = PrecisionName.auto,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
    jobs: Jobs = 1,
    force: Force = False,
    skip_existing: SkipExisting = False,
    quiet: Quiet = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Decode files to PNG, or to the format that the output's extension names."""
    from s2lic.images.save import colour_of

    inputs, output = name_output(all_inputs(sources, files_from), output, outdir, coded=False)
    extension, options = extension_of(format_name, output), DecodeOptions(_crop(crop, skip_existing), strip)
    if background is not None:
        colour_of(background)
    outputs = Outputs(output, outdir, beside=f".decoded{extension}", apart=extension)
    batch = plan(inputs, outputs, CODED, recursive, as_json, [model_file(model)])
    picked = pick_runtime(runtime, verbose)
    codec = shared_codec(device, model, max_pixels, jobs, len(batch.jobs), precision=precision.value, runtime=picked)

    stages = Decoding(options, extension, background, save_quality, max_pixels, force, skip_existing, quiet)
    work = Stages(stages.begin, stages.decode, stages.end).work(codec, device)
    code(batch, work, _line, RunOptions(quiet, as_json, verbose, jobs), "decoding")


@dataclass(frozen=True)
class InputFile:
    """A file whose container is sound, and the format to write its picture in."""

    data: bytes
    form: str
    pixels: int


@dataclass(frozen=True)
class Decoding:
    """Decoding, and what comes before and after: a file is read, a picture is written; `extension` is for stdout."""

    options: DecodeOptions
    extension: str
    background: str | None
    quality: int | None
    max_pixels: int
    force: bool
    skip_existing: bool
    quiet: bool

    def begin(self, job: Job) -> InputFile | JobFacts:
        from s2lic.images.save import check_alpha, check_quality, format_of

        target = job.target or STANDARD
        form = self.extension if target == STANDARD or is_stream(target) else format_of(target)
        check_quality(form, self.quality)
        if not self.skip_existing:
            check_target(target, self.force)
        data = read_input(job.source, self.max_pixels)
        # A broken file is refused at once, before torch is loaded.
        container = unpack(data, Limits(self.max_pixels))
        if self.skip_existing and is_whole_picture(target, container.header):
            return {"status": SKIPPED}
        if "alpha" in container.extras:
            check_alpha(form, self.background)
        return InputFile(data, form, container.header.width * container.header.height)

    def decode(self, codec: AnyCodec, files: Sequence[InputFile]) -> list[Image.Image]:
        return codec.decode_many_with([file.data for file in files], self.options)

    def end(self, job: Job, file: InputFile, image: Image.Image, seconds: float) -> JobFacts:
        from s2lic.images.save import encode_image, left_out

        if lost := left_out(image, file.form):
            print_note(f"s2lic: note: {job.source}: {file.form} has no place for {', '.join(lost)}", self.quiet)
        data = encode_image(image, file.form, self.background, self.quality)
        write_output(job.target or STANDARD, data, self.force or self.skip_existing)
        crop = {} if self.options.crop is None else {"crop": self.options.crop}
        return {"width": image.width, "height": image.height, **crop, "bytes": len(file.data), "seconds": seconds}


def extension_of(format_name: str | None, output: str | None) -> str:
    """The extension of outputs that -o does not name. Raises UsageError or OutputFormatError."""
    from s2lic.images.save import FORMATS, check_installed

    if format_name is None:
        return ".png"
    if output is not None and output != STANDARD and not is_stream(output):
        raise UsageError("the extension of -o names the format already; leave out --format")
    extension = f".{format_name.removeprefix('.').lower()}"
    if extension not in FORMATS:
        known = ", ".join(name.removeprefix(".") for name in FORMATS)
        raise OutputFormatError(f"there is no --format {format_name}; there are {known}")
    check_installed(extension)
    return extension


def _crop(words: str | None, skip_existing: bool) -> Crop | None:
    """The numbers of `--crop`. Raises UsageError."""
    if words is None:
        return None
    if skip_existing:
        raise UsageError("--skip-existing recognises whole pictures only; leave --crop out, or --skip-existing")
    if not re.fullmatch(r"\d+(,\d+){3}", words):
        raise UsageError(
            f"--crop takes left, top, width and height with commas between, as in 0,0,640,480, not {words!r}"
        )
    x, y, width, height = map(int, words.split(","))
    return x, y, width, height


def _line(facts: JobFacts) -> str:
    return f"{facts['width']} x {facts['height']}, {facts['seconds']:.2f} s"
