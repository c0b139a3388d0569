"""Stores finished samples, so that an interrupted evaluation continues and a repeated one takes no time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from s2lic.errors import EvaluationError
from s2lic.eval.records import FILES, EvalPicture, Sample
from s2lic.files import make_folder, write_atomically

POINTS = "points"
FIELDS = [
    field.name for field in fields(Sample)
]  # part of the key, so that records of an earlier release with other fields are not found


@dataclass(frozen=True)
class SampleKey:
    """The key of a sample in the folder of an evaluation. Equal inputs have equal keys."""

    folder: Path
    picture: EvalPicture
    codec: str
    identity: str
    quality: float

    @property
    def key(self) -> str:
        quality = float(self.quality)  # 50 and 50.0 are one quality
        facts = [self.picture.sha256, self.codec, self.identity, quality, FIELDS]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def file(self, extension: str) -> str:
        """The path of the encoded file, relative to the folder."""
        return f"{FILES}/{self.codec}/{self.picture.name}-{self.quality:g}-{self.key}{extension}"

    @property
    def record(self) -> Path:
        return self.folder / POINTS / f"{self.key}.json"

    def recall(self) -> Sample | None:
        """The stored sample, if its encoded file exists too. Raises EvaluationError."""
        if not self.record.exists():
            return None
        try:
            sample = Sample(**json.loads(self.record.read_text()))
        except (ValueError, TypeError) as error:
            raise EvaluationError(f"{self.record} is damaged: {error}; remove it") from error
        file = self.folder / sample.file
        whole = file.is_file() and file.stat().st_size == sample.size
        return replace(sample, picture=self.picture.name) if whole else None

    def keep(self, sample: Sample) -> None:
        """Stores a sample. Raises OutputPlaceError and OutputUnwritableError."""
        make_folder(self.record.parent)
        write_atomically(self.record, json.dumps(asdict(sample)).encode(), force=True)
