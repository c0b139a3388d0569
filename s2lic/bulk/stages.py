"""The three stages of work on an image of a dataset: read and check, code, write."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from s2lic.bulk.job import BulkJob, InputRow
from s2lic.bulk.places import Place
from s2lic.coding.options import DecodeOptions, EncodeOptions
from s2lic.coding.pipeline import Job, JobFacts, Stages
from s2lic.container.boxes import Limits, unpack
from s2lic.images.load import read_image
from s2lic.images.save import check_alpha, encode_image

if TYPE_CHECKING:
    from s2lic.codec import Codec

KEPT = "kept"  # the status of files that are copied and not coded


@dataclass(frozen=True)
class BulkPicture:
    """An image to encode."""

    image: Image.Image

    @property
    def pixels(self) -> int:
        return self.image.width * self.image.height


@dataclass(frozen=True)
class BulkFile:
    """A file to decode, whose container is valid."""

    data: bytes
    pixels: int


Encoded = tuple[bytes, "float | None"]  # a file, and its PSNR if requested


@dataclass(frozen=True)
class BulkWork:
    """Reading from the source and writing to the destination of a job."""

    job: BulkJob
    source: Place
    dest: Place

    def _read(self, job: Job) -> bytes | None:
        """The bytes of an image; None for a file that is copied."""
        row = job if isinstance(job, InputRow) else InputRow(job.source)
        if not row.is_picture:
            return None
        return self.source.read(row.source) if row.data is None else row.data

    def _deliver(self, job: Job, data: bytes, facts: JobFacts) -> JobFacts:
        """Write the output of a file. Outputs inside parts are written with the part."""
        if isinstance(job, InputRow):
            return {**facts, "data": data}
        self.dest.put(job.target or "", data)
        return facts


@dataclass(frozen=True)
class BulkEncoding(BulkWork):
    """From images to s2lic files."""

    options: EncodeOptions

    def begin(self, job: Job) -> BulkPicture | JobFacts:
        if (data := self._read(job)) is None:
            return {"status": KEPT}
        return BulkPicture(read_image(data, self.job.max_pixels, self.options.strict, self.options.strip).image)

    def code(self, codec: Codec, pictures: Sequence[BulkPicture]) -> Sequence[Encoded]:
        files = codec.encode_many_with([picture.image for picture in pictures], self.options)
        if not self.job.psnr:
            return [(data, None) for data in files]
        decoded = codec.decode_many(files)
        measured = [_psnr(own.image, image) for own, image in zip(pictures, decoded, strict=True)]
        return list(zip(files, measured, strict=True))

    def end(self, job: Job, picture: BulkPicture, result: Encoded, seconds: float) -> JobFacts:
        data, psnr = result
        facts: JobFacts = {"width": picture.image.width, "height": picture.image.height, "size": len(data)}
        facts |= {"bpp": 8 * len(data) / picture.pixels, "psnr": psnr}
        return self._deliver(job, data, facts)


@dataclass(frozen=True)
class BulkDecoding(BulkWork):
    """From s2lic files to images."""

    options: DecodeOptions

    def begin(self, job: Job) -> BulkFile | JobFacts:
        if (data := self._read(job)) is None:
            return {"status": KEPT}
        container = unpack(data, Limits(self.job.max_pixels))
        if "alpha" in container.extras:
            check_alpha(self.job.extension, self.job.background)
        return BulkFile(data, container.header.width * container.header.height)

    def code(self, codec: Codec, files: Sequence[BulkFile]) -> list[Image.Image]:
        return codec.decode_many_with([file.data for file in files], self.options)

    def end(self, job: Job, file: BulkFile, image: Image.Image, seconds: float) -> JobFacts:
        facts: JobFacts = {"width": image.width, "height": image.height, "size": len(file.data)}
        return self._deliver(job, encode_image(image, self.job.extension, self.job.background), facts)


AnyStages = Stages["Codec", BulkPicture, Encoded] | Stages["Codec", BulkFile, Image.Image]


def stages_of(job: BulkJob, source: Place, dest: Place) -> AnyStages:
    """The stages of a job."""
    if isinstance(job.options, EncodeOptions):
        encoding = BulkEncoding(job, source, dest, job.options)
        return Stages(encoding.begin, encoding.code, encoding.end)
    decoding = BulkDecoding(job, source, dest, job.options)
    return Stages(decoding.begin, decoding.code, decoding.end)


def _psnr(original: Image.Image, decoded: Image.Image) -> float:
    """10 log10(255^2 / MSE) of 8-bit RGB in dB, without alpha. Infinite for identical images."""
    difference = np.asarray(original.convert("RGB"), np.float64) - np.asarray(decoded.convert("RGB"), np.float64)
    error = float(np.mean(difference**2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)
