"""The options of a run over a dataset, and its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from s2lic.coding.options import DecodeOptions, EncodeOptions
from s2lic.coding.pipeline import DONE, Job, JobOutcome
from s2lic.defaults import DEFAULT_MAX_PIXELS
from s2lic.errors import S2licError
from s2lic.runtime import DeviceName

# How a dataset is stored: one file per image, WebDataset tar files, or Parquet files with a column of images.
FOLDER, SHARDS, PARQUET = "folder", "shards", "parquet"
SUFFIXES = {SHARDS: ".tar", PARQUET: ".parquet"}
CODED, COLUMN = ".s2lic", {"encode": "image", "decode": "s2lic"}  # the default columns to read


@dataclass(frozen=True)
class BulkJob:
    """How to process each image. It is sent to every worker.

    Attributes:
        options: The options of encoding or decoding. Their type decides which of the two is done.
        to: FOLDER, SHARDS or PARQUET.
        model: Name of shipped weights, or path of a weights file that every worker can read.
        tune: Which weights of a named model.
        device: The device to compute on.
        max_pixels: Larger images are refused.
        psnr: Decode each file and measure its PSNR.
        column: The column of Parquet files to read.
        extension: The format of decoded images.
        background: The colour behind transparent images if the format has no alpha.
    """

    options: EncodeOptions | DecodeOptions
    to: str = FOLDER
    model: str | None = None
    tune: str | None = None
    device: DeviceName = DeviceName.cpu
    max_pixels: int = DEFAULT_MAX_PIXELS
    psnr: bool = False
    column: str = COLUMN["encode"]
    extension: str = ".png"
    background: str | None = None

    @property
    def encodes(self) -> bool:
        return isinstance(self.options, EncodeOptions)

    @property
    def suffix(self) -> str:
        """The extension of the outputs."""
        return CODED if self.encodes else self.extension

    def record(self) -> dict[str, Any]:
        """The options that must be equal for a run to resume another, as JSON."""
        asked = {name: value for name, value in asdict(self.options).items() if value is not None}
        verb = "encode" if self.encodes else "decode"
        own = {
            name: getattr(self, name) for name in ("to", "model", "tune", "psnr", "column", "extension", "background")
        }
        return {"verb": verb, "options": asked, **own}


@dataclass(frozen=True)
class InputRow(Job):
    """An image of a part, or another file beside it.

    Attributes:
        data: Its bytes, or None if it is a file that has not been read.
        is_picture: Whether to code it. Other files are copied.
        columns: The other columns of its row in a Parquet file.
    """

    data: bytes | None = None
    is_picture: bool = True
    columns: Mapping[str, object] = field(default_factory=dict)


@dataclass
class Tally:
    """Counts over finished images.

    Attributes:
        targets: The outputs that are finished, written or failed.
        done: Images that were coded.
        failed: Images that failed.
        pixels: Pixels of the coded images.
        size: Bytes of their s2lic files.
        errors: Rows of the error table, one per failure.
    """

    targets: list[str] = field(default_factory=list)
    done: int = 0
    failed: int = 0
    pixels: int = 0
    size: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)

    def count(self, outcome: JobOutcome, target: str) -> None:
        """Add an outcome, which is part of the output `target`."""
        if outcome.error is not None:
            self.fail(outcome.job.source, target, outcome.error)
        elif outcome.status == DONE:
            self.done += 1
            self.pixels += int(str(outcome.facts["width"])) * int(str(outcome.facts["height"]))
            self.size += int(str(outcome.facts["size"]))

    def fail(self, source: str, target: str, error: S2licError) -> None:
        """Add a failure."""
        self.failed += 1
        row = {"source": source, "target": target, "error": type(error).__name__, "message": str(error)}
        self.errors.append({**row, "exit_code": error.exit_code})

    def add(self, other: Tally) -> None:
        """Add the counts of another tally, but not its rows."""
        for name in ("done", "failed", "pixels", "size"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Tally:
        """The tally in a row that a worker returned."""
        return cls(**row)


@dataclass(frozen=True)
class BulkTask:
    """One output, and the inputs that it is made of."""

    sources: Sequence[str]
    target: str

    def as_row(self) -> dict[str, Any]:
        return {"sources": list(self.sources), "target": self.target}
