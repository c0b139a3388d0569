"""Measuring one picture through one codec: written to a file, read back, decoded, compared, timed."""

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
from s2lic.eval.codecs.base import Coder
from s2lic.eval.memory import with_peak
from s2lic.eval.metrics import ms_ssim, psnr, ssimulacra2
from s2lic.eval.pictures import open_rgb
from s2lic.eval.records import EvalPicture, Failure, Sample
from s2lic.eval.store import SampleKey
from s2lic.files import make_folder, write_atomically

Options = tuple[tuple[str, str], ...]
Result = TypeVar("Result")


@dataclass(frozen=True)
class EvalTask:
    """One picture through one codec at the qualities that are not done yet, and what it runs on."""

    picture: EvalPicture
    codec: str
    options: Options
    qualities: tuple[float, ...]
    folder: Path
    machine: str = ""

    def place(self, quality: float) -> SampleKey:
        return SampleKey(self.folder, self.picture, self.codec, opened(self.codec, self.options).identity, quality)


def run(task: EvalTask) -> list[Sample | Failure]:
    """A sample or a failure a quality; each sample is kept on disk as soon as it is there."""
    try:
        image = open_rgb(task.picture.path)
        _warm_up(task, image)
    except S2licError as error:
        return [failure(task, quality, error) for quality in task.qualities]
    return [_attempt(task, image, quality) for quality in task.qualities]


def failure(task: EvalTask, quality: float, error: BaseException) -> Failure:
    """The record of an error."""
    return Failure(task.picture.name, type(error).__name__, str(error), task.codec, quality)


@cache
def opened(codec: str, options: Options) -> Coder:
    """The codec, opened once a process. Raises ExtraMissingError, UsageError and what opening raises."""
    return codecs.row(codec).open(dict(options))


_warm: set[tuple[str, Options]] = set()


def _warm_up(task: EvalTask, image: Image.Image) -> None:
    """The first run of a codec in a process also pays for what later runs find ready."""
    coder, which = opened(task.codec, task.options), (task.codec, task.options)
    if codecs.row(task.codec).warm and which not in _warm:
        data = _guarded(lambda: coder.encode(image, task.qualities[0]))
        _guarded(lambda: coder.decode(data, image.size))
        _warm.add(which)


def _attempt(task: EvalTask, image: Image.Image, quality: float) -> Sample | Failure:
    try:
        sample = _measure(task, image, quality)
        task.place(quality).keep(sample)
    except S2licError as error:
        return failure(task, quality, error)
    return sample


def _measure(task: EvalTask, image: Image.Image, quality: float) -> Sample:
    coder = opened(task.codec, task.options)
    name = task.place(quality).file(codecs.row(task.codec).extension)
    data, encode_s, encode_mib = _costs(coder, lambda: coder.encode(image, quality))
    file = task.folder / name
    make_folder(file.parent)
    write_atomically(file, data, force=True)
    written = file.read_bytes()
    decoded, decode_s, decode_mib = _costs(coder, lambda: coder.decode(written, image.size))
    if decoded.size != image.size:
        raise CodecFailedError(f"a picture of {image.size} came back as {decoded.size}")
    return Sample(
        codec=task.codec,
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
    """What the work gives, its seconds, and its MiB, those of the programs it ran included."""

    def timed() -> tuple[Result, float]:
        start = time.perf_counter()
        result = _guarded(work)
        return result, time.perf_counter() - start

    (result, seconds), mib = with_peak(timed)
    return result, seconds, None if mib is None else mib + coder.outside_mib


def _guarded(work: Callable[[], Result]) -> Result:
    """Any library's error as one of ours. Raises CodecFailedError, or the named error that came."""
    try:
        return work()
    except S2licError:
        raise
    except Exception as error:  # codecs of others raise any kind
        raise CodecFailedError(f"{type(error).__name__}: {error}") from error
