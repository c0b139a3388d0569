"""Measures one picture with one codec: encodes to a file, reads it back, decodes, compares, and takes the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from PIL import Image

from s2lic.errors import CodecFailedError, S2licError
from s2lic.eval import codecs
from s2lic.eval.codecs.base import CodecRow, Coder
from s2lic.eval.memory import with_peak
from s2lic.eval.metrics import ms_ssim, psnr, ssimulacra2
from s2lic.eval.pictures import open_rgb
from s2lic.eval.records import EvalPicture, Failure, Sample
from s2lic.eval.store import SampleKey
from s2lic.files import make_folder, write_atomically

Options = tuple[tuple[str, str], ...]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Selection:
    """A codec, the qualities to measure, and its options.

    `kind` is the name of its row in the table if that is another: one of several models, or a command.
    """

    codec: str
    qualities: tuple[float, ...]
    options: Options = ()
    kind: str = ""

    @property
    def row(self) -> CodecRow:
        """Raises UsageError."""
        return codecs.row(self.kind or self.codec)

    @property
    def label(self) -> str:
        """Its name in legends."""
        return self.codec if self.kind else self.row.label

    def open(self) -> Coder:
        """Raises as `opened` does."""
        return opened(self.kind or self.codec, self.options)


@dataclass(frozen=True)
class EvalTask:
    """One picture and one codec, at the qualities that are not measured yet."""

    picture: EvalPicture
    selection: Selection
    folder: Path
    machine: str = ""

    def place(self, quality: float) -> SampleKey:
        return SampleKey(self.folder, self.picture, self.selection.codec, self.selection.open().identity, quality)


def run(task: EvalTask) -> list[Sample | Failure]:
    """One sample or failure per quality. Each sample is saved at once."""
    try:
        image = open_rgb(task.picture.path)
        _warm_up(task, image)
    except S2licError as error:
        return [failure(task, quality, error) for quality in task.selection.qualities]
    return [_attempt(task, image, quality) for quality in task.selection.qualities]


def failure(task: EvalTask, quality: float, error: BaseException) -> Failure:
    """The failure that stands for an exception."""
    return Failure(task.picture.name, type(error).__name__, str(error), task.selection.codec, quality)


@cache
def opened(codec: str, options: Options) -> Coder:
    """The codec, opened once per process. Raises ExtraMissingError, UsageError and what opening raises."""
    return codecs.row(codec).open(dict(options))


_warm: set[Coder] = set()


def _warm_up(task: EvalTask, image: Image.Image) -> None:
    """Runs a codec once before measuring, because its first run in a process is slower."""
    coder = task.selection.open()
    if task.selection.row.warm and coder not in _warm:
        data = _guarded(lambda: coder.encode(image, task.selection.qualities[0]))
        _guarded(lambda: coder.decode(data, image.size))
        _warm.add(coder)


def _attempt(task: EvalTask, image: Image.Image, quality: float) -> Sample | Failure:
    try:
        sample = _measure(task, image, quality)
        task.place(quality).keep(sample)
    except S2licError as error:
        return failure(task, quality, error)
    return sample


def _measure(task: EvalTask, image: Image.Image, quality: float) -> Sample:
    coder = task.selection.open()
    name = task.place(quality).file(coder.extension or task.selection.row.extension)
    data, encode_s, encode_mib = _costs(coder, lambda: coder.encode(image, quality))
    file = task.folder / name
    make_folder(file.parent)
    write_atomically(file, data, force=True)
    written = file.read_bytes()
    decoded, decode_s, decode_mib = _costs(coder, lambda: coder.decode(written, image.size))
    if decoded.size != image.size:
        raise CodecFailedError(f"a picture of {image.size} came back as {decoded.size}")
    return Sample(
        codec=task.selection.codec,
        quality=quality,
        picture=task.picture.name,
        size=len(written),
        bpp=8 * len(written) / (image.width * image.height),
        psnr=psnr(image, decoded),
        msssim=ms_ssim(image, decoded),
        ssimulacra2=ssimulacra2(image, decoded),
        encode_s=encode_s,
        decode_s=decode_s,
        encode_mib=encode_mib,
        decode_mib=decode_mib,
        file=name,
        machine=task.machine,
    )


def _costs(coder: Coder, work: Callable[[], Result]) -> tuple[Result, float, float | None]:
    """Runs `work`: its result, seconds, and peak MiB, including the programs that it ran."""

    def timed() -> tuple[Result, float]:
        start = time.perf_counter()
        result = _guarded(work)
        return result, time.perf_counter() - start

    (result, seconds), mib = with_peak(timed)
    return result, seconds, None if mib is None else mib + coder.outside_mib


def _guarded(work: Callable[[], Result]) -> Result:
    """Converts any exception of a library. Raises CodecFailedError, or the S2licError itself."""
    try:
        return work()
    except S2licError:
        raise
    except Exception as error:  # third-party codecs raise any type
        raise CodecFailedError(f"{type(error).__name__}: {error}") from error
