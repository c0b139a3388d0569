"""What a run is, as data: sizes, rates, length, and where it writes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from s2lic.errors import InputMissingError, UsageError, WeightsError
from s2lic.files import read_bytes, write_atomically
from s2lic.runtime import multiplies_bf16

FILE = "plan.json"


@dataclass(frozen=True)
class Plan:
    """One run on the pictures in the folders `data`; its folder `out` keeps the plan, so that a run can be resumed.

    It ends after `minutes` or `steps`, whichever is given and comes first; the time and steps before a resume count.
    `batch` is that of all processes together. The learning rate falls after the share `decay_from` of the run. Where
    `bf16` is None it is on for a GPU and for a CPU that multiplies bfloat16. `init` is a weights file to start from as
    far as it fits, `grow` one of a smaller configuration.
    """

    config: str
    out: Path
    minutes: float | None = None
    steps: int | None = None
    batch: int = 16
    crop: int = 192
    lr: float = 2e-3
    warmup: int = 100
    decay: str = "linear"
    decay_from: float = 0.6
    clip: float = 1.0
    seed: int = 0
    optimiser: str = "soap"
    stage: str = "all"
    bf16: bool | None = None
    compiled: bool = False
    init: Path | None = None
    grow: Path | None = None
    log_every: int = 20
    save_every: int = 250
    data: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.minutes is None and self.steps is None:
            raise UsageError("a run needs an end: give --minutes or --steps")
        if self.init is not None and self.grow is not None:
            raise UsageError("--init and --grow both name the weights to start from; give one of them")

    @staticmethod
    def load(folder: Path) -> Plan:
        """The plan of the run in a folder, which may have been moved there.

        Raises:
            WeightsError: the folder has no plan, or a damaged one.
        """
        path = folder / FILE
        try:
            found: dict[str, Any] = json.loads(read_bytes(path))
            paths = {name: found[name] and Path(found[name]) for name in ("init", "grow")}
            return Plan(**{**found, **paths, "out": folder, "data": tuple(map(Path, found["data"]))})
        except (InputMissingError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{path} cannot be read as a run's plan; start a new run in another --out") from error

    def save(self) -> None:
        """Writes the plan into the run's folder. Raises OutputPlaceError and OutputUnwritableError."""
        values = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}
        values["data"] = [str(folder.resolve()) for folder in self.data]
        write_atomically(self.out / FILE, f"{json.dumps(values, indent=1)}\n".encode(), force=True)

    def reduces(self, device: str) -> bool:
        """Whether forward and backward run in bfloat16 on a device of that type, "cpu" or another."""
        return (device != "cpu" or multiplies_bf16()) if self.bf16 is None else self.bf16

    def progress(self, step: int, minutes: float) -> float:
        """How much of the run is done, from 0; 1 and more is its end."""
        ends = [(step, self.steps), (minutes, self.minutes)]
        return max((done / end if end else 1.0) for done, end in ends if end is not None)
