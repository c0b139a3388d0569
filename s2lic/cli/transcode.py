"""`s2lic transcode`: re-encodes s2lic files with the current model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from s2lic.cli.batch import RunOptions, code
from s2lic.cli.encode import Effort, Quality, Tile, line
from s2lic.cli.jobs import STANDARD, Outputs, all_inputs, name_output, plan
from s2lic.cli.open_codec import model_file, pick_runtime, shared_codec
from s2lic.cli.options import (
    Device,
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
from s2lic.cli.streams import CODED, check_target, is_whole_file, print_note, read_input, write_output
from s2lic.coding.options import DecodeOptions, EncodeOptions
from s2lic.coding.pipeline import SKIPPED, Job, JobFacts, Stages
from s2lic.container.boxes import Container, Limits, unpack
from s2lic.defaults import DEFAULT_MAX_PIXELS
from s2lic.runtime import DeviceName

if TYPE_CHECKING:
    from s2lic.cli.open_codec import AnyCodec


def transcode(
    sources: InputsOutput = None,
    output: Output = None,
    outdir: Outdir = None,
    recursive: Recursive = False,
    quality: Quality = None,
    effort: Effort = None,
    strip: Strip = False,
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
    """Re-encode files with another model, by default that of this release, at the quality of each file.

    Metadata, alpha and regions of interest are kept. Each re-encoding loses a little quality. A file that already
    has the model is copied unless a quality is given.
    """
    inputs, output = name_output(all_inputs(sources, None), output, outdir, coded=True)
    outputs = Outputs(output, outdir, beside=".transcoded.s2lic", apart=".s2lic")
    batch = plan(inputs, outputs, CODED, recursive, as_json, [model_file(model)])
    tune_name, options = tune and tune.value, EncodeOptions(quality=quality, effort=effort, strip=strip)
    own_id, picked = _model_id(model, tune_name), pick_runtime(runtime, verbose)
    codec = shared_codec(
        device, model, max_pixels, jobs, len(batch.jobs), tile, "float32", tune=tune_name, runtime=picked
    )
    stages = Transcoding(options, own_id, max_pixels, force or skip_existing, skip_existing, quiet)
    work = Stages(stages.begin, stages.transcode, stages.end).work(codec, device)
    code(batch, work, line, RunOptions(quiet, as_json, verbose, jobs), "transcoding")


def _model_id(model: str | None, tune: str | None) -> bytes:
    """The model id of the new files. Raises UnknownConfigError or InputMissingError."""
    from s2lic.files import read_bytes
    from s2lic.weights import lookup, manifest

    if (name := model_file(model)) is not None:
        return lookup.id_of(read_bytes(Path(name)))
    return manifest.by_config(model, tune).model_id


@dataclass(frozen=True)
class OldFile:
    """A file whose container is valid."""

    data: bytes
    container: Container

    @property
    def pixels(self) -> int:
        return self.container.header.width * self.container.header.height


@dataclass(frozen=True)
class Transcoding:
    """The three stages: read a file, transcode it, write the result."""

    options: EncodeOptions
    own_id: bytes
    max_pixels: int
    force: bool
    skip_existing: bool
    quiet: bool

    def begin(self, job: Job) -> OldFile | JobFacts:
        target = job.target or STANDARD
        if self.skip_existing and is_whole_file(target):
            return {"status": SKIPPED}
        check_target(target, self.force)
        data = read_input(job.source, self.max_pixels)
        old = OldFile(data, unpack(data, Limits(self.max_pixels)))
        if old.container.header.model_id != self.own_id or self.options.quality is not None or self.options.strip:
            return old
        print_note(f"s2lic: note: {job.source}: already has this model; it is copied", self.quiet)
        return self.end(job, old, data, 0.0)

    def transcode(self, codec: AnyCodec, files: Sequence[OldFile]) -> list[bytes]:
        images = codec.decode_many_with([file.data for file in files], DecodeOptions(strip=self.options.strip))
        return [
            codec.encode_many_with([image], self._options(file))[0] for image, file in zip(images, files, strict=True)
        ]

    def _options(self, file: OldFile) -> EncodeOptions:
        """The requested options. Quality and region of interest default to those of the file."""
        header, found = file.container.header, self.options
        if found.quality is None:
            found = replace(found, quality=header.quality / 100)
        if file.container.roi:
            from s2lic.coding.roi import unpack_roi

            size = header.width, header.height
            found = replace(found, roi=unpack_roi(file.container.roi, size).mask(size))
        return found

    def end(self, job: Job, file: OldFile, data: bytes, seconds: float) -> JobFacts:
        write_output(job.target or STANDARD, data, self.force)
        header = file.container.header
        size = {"width": header.width, "height": header.height, "bytes": len(data), "bytes_before": len(file.data)}
        return {**size, "bpp": 8 * len(data) / file.pixels, "seconds": seconds}
