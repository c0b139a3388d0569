"""Which weights ship with the package and which once did: `manifest.json` and `retired.json` beside the files."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open

from s2lic.defaults import TUNES
from s2lic.errors import RetiredModelError, UnknownConfigError, UnknownModelError, WeightsError

# What export derives from the weights: integer tables, and the exact networks.
TABLE_PREFIX, EXACT_PREFIX = "tables.", "exact."
MADE_PREFIXES = (TABLE_PREFIX, EXACT_PREFIX)
NO_EXACT = "it has no exact networks, like all files before arithmetic profile 2; export its checkpoint again"


@dataclass(frozen=True)
class FileFacts:
    """The file's size, and the number of weights in it."""

    bytes: int
    parameters: int


def file_facts(path: Path) -> FileFacts:
    """The facts of a weights file. Raises WeightsError if it is missing or damaged."""
    try:
        with safe_open(path, framework="np") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys() if not name.startswith(MADE_PREFIXES)]  # noqa: SIM118
        return FileFacts(path.stat().st_size, sum(map(math.prod, shapes)))
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error


FOLDER = Path(__file__).parent
SHIPPED, RETIRED = "manifest.json", "retired.json"
# The model that encodes unless the caller names one.
DEFAULT_MODEL = "small"
ID_BYTES = 8

_MENDS = (
    "add its weights file with `s2lic weights add FILE` or `s2lic weights fetch {}`, give it with --model, or install "
    "the release of s2lic that wrote the file"
)

Row = TypeVar("Row")


@dataclass(frozen=True)
class WeightsRow:
    """One shipped set: its configuration, file and hash, and how it came about.

    version: the release that ships it first. training: minutes, steps and whatever else tells. rd: by set of
    pictures (`val`, `kodak`), None where it was not measured, `bpp_at_db` and `bd_rate_percent` by codec. data: a note
    on the licences of the training data.
    """

    config: str
    file: str
    sha256: str
    version: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    rd: dict[str, Any] = field(default_factory=dict)
    data: str = ""

    @property
    def model(self) -> str:
        """The configuration without its tune: what `--model` takes."""
        return self.config.partition("+tune=")[0]

    @property
    def tune(self) -> str:
        """What the set was trained for, a word of TUNES."""
        return self.config.partition("+tune=")[2] or "psnr"

    @property
    def model_id(self) -> bytes:
        """What files name their model by: the first 8 bytes of the weights' SHA-256."""
        return bytes.fromhex(self.sha256)[:ID_BYTES]

    @property
    def path(self) -> Path:
        return FOLDER / self.file


@dataclass(frozen=True)
class RetiredRow:
    """A set that shipped and was replaced: its id in hex, and the release and commit that read its files."""

    config: str
    model_id: str
    version: str
    commit: str

    def __str__(self) -> str:
        return f"an older set of '{self.config}', which s2lic {self.version} at commit {self.commit} reads"


def rows() -> tuple[WeightsRow, ...]:
    """Every set that ships. Raises WeightsError if the manifest cannot be read."""
    return _read(SHIPPED, WeightsRow)


def retired() -> tuple[RetiredRow, ...]:
    """Every set that shipped before. Raises WeightsError if the table cannot be read."""
    return _read(RETIRED, RetiredRow)


def _read(name: str, row: type[Row]) -> tuple[Row, ...]:
    try:
        return tuple(row(**values) for values in json.loads((FOLDER / name).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"the weights' {name} is damaged: {error}; reinstall s2lic") from error


def default(tune: str | None = None) -> WeightsRow:
    """The set that encodes unless the caller names a model. Raises UnknownConfigError."""
    return by_config(DEFAULT_MODEL, tune or TUNES[0])


def by_config(name: str | None, tune: str | None = None) -> WeightsRow:
    """The set of a model for a tune; without a tune the first of TUNES that ships; without a model the default.

    Raises:
        UnknownConfigError: no such set ships.
    """
    if name is None:
        return default(tune)
    tunes = TUNES if tune is None else (tune,)
    found = {row.tune: row for row in rows() if row.model == name}
    for wanted in tunes:
        if wanted in found:
            return found[wanted]
    shipped = ", ".join(f"{row.model} ({row.tune})" for row in rows())
    asked = f"'{name}'" if tune is None else f"'{name}' tuned for {tune}"
    raise UnknownConfigError(f"no weights ship for {asked}; there are {shipped}, or give a .safetensors file")


def by_id(model_id: bytes) -> WeightsRow:
    """The set that a file was coded with. Raises RetiredModelError or UnknownModelError."""
    for row in rows():
        if row.model_id == model_id:
            return row
    if (old := retired_by_id(model_id)) is not None:
        raise RetiredModelError(
            f"the file was coded with model {model_id.hex()}, {old}; {_MENDS.format(model_id.hex())}"
        )
    raise UnknownModelError(
        f"the file was coded with model {model_id.hex()}, which no release up to this one has shipped; "
        f"{_MENDS.format(model_id.hex())}"
    )


def retired_by_id(model_id: bytes) -> RetiredRow | None:
    """The row of a set that shipped before, or None. Raises WeightsError if the table cannot be read."""
    return next((row for row in retired() if row.model_id == model_id.hex()), None)
