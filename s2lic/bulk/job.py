"""What a run over a dataset is asked for, and what it reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from s2lic.coding.options import DecodeOptions, EncodeOptions
from s2lic.coding.pipeline import DONE, Job, JobOutcome
from s2lic.defaults import DEFAULT_MAX_PIXELS
from s2lic.errors import S2licError
from s2lic.runtime import DeviceName

# How a dataset is stored: a file per picture, tar files of WebDataset, or Parquet files with a column of pictures.
FOLDER, SHARDS, PARQUET = "folder", "shards", "parquet"
SUFFIXES = {SHARDS: ".tar", PARQUET: ".parquet"}
CODED, COLUMN = ".s2lic", {"encode": "image", "decode": "s2lic"}  # the usual names of the column that is read


@dataclass(frozen=True)
class BulkJob:
    """What becomes of each picture. It is sent to every worker.

    Attributes:
        options: Those of encoding or of decoding; their type says which of them it is.
        to: FOLDER, SHARDS or PARQUET.
        model: Name of shipped weights, or path of a weights file that every worker can read.
        tune: Which set of a named model.
        device: Where to compute.
        max_pixels: Larger pictures are refused.
        psnr: Decode each file and measure its PSNR.
        column: The column of Parquet files that is read.
        extension: The format of decoded pictures.
        background: The colour behind transparent pictures where the format has no alpha.
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
        """The extension of a picture's output."""
        return CODED if self.encodes else self.extension

    def record(self) -> dict[str, Any]:
        """What must be equal for a run to continue another, as JSON has it."""
        asked = {name: value for name, value in asdict(self.options).items() if value is not None}
        verb = "encode" if self.encodes else "decode"
        own = {
            name: getattr(self, name) for name in ("to", "model", "tune", "psnr", "column", "extension", "background")
        }
        return {"verb": verb, "options": asked, **own}


@dataclass(frozen=True)
class InputRow(Job):
    """A picture of a part, or something beside it.

    Attributes:
        data: Its bytes; None if they are still in a file of its own.
        is_picture: Whether it is to be coded; what is not goes on as it is.
        columns: The other columns of its row of a Parquet file.
    """

    data: bytes | None = None
    is_picture: bool = True
    columns: Mapping[str, object] = field(default_factory=dict)


@dataclass
class Tally:
    """Counts over finished pictures.

    Attributes:
        targets: The outputs that are dealt with, written or failed.
        done: Pictures that were coded.
        failed: Those that were not.
        pixels: Of those coded.
        size: Bytes of their s2lic files.
        errors: A row of the error table for each failure.
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
        """The tally of a row that came from a worker."""
        return cls(**row)


@dataclass(frozen=True)
class BulkTask:
    """One or more inputs that become one output."""

    sources: Sequence[str]
    target: str

    def as_row(self) -> dict[str, Any]:
        return {"sources": list(self.sources), "target": self.target}
