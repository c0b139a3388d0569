"""The options of a training run, stored in its folder."""

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
    """The options of one run. A copy in its folder `out` lets it be resumed.

    Attributes:
        config: The configuration's name.
        out: The run's folder.
        minutes: The length in minutes, parts before a resume included.
        steps: The length in steps. The run ends at whichever of the two comes first.
        batch: Crops per step, of all processes together.
        crop: The side of a crop in pixels.
        decay_from: The part of the run after which the learning rate falls.
        bf16: Whether to compute in bfloat16. None: on a GPU, or on a CPU with instructions for it.
        init: A weights file to start from, as far as its tensors fit.
        grow: A weights file of a smaller configuration to start from.
        data: Folders of pictures.
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
        """Reads the plan from a run's folder, which may have been moved.

        Raises:
            WeightsError: The folder has no plan, or a damaged one.
        """
        path = folder / FILE
        try:
            found: dict[str, Any] = json.loads(read_bytes(path))
            paths = {name: found[name] and Path(found[name]) for name in ("init", "grow")}
            return Plan(**{**found, **paths, "out": folder, "data": tuple(map(Path, found["data"]))})
        except (InputMissingError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{path} cannot be read as a run's plan; start a new run in another --out") from error

    def save(self) -> None:
        """Writes the plan to the run's folder. Raises OutputPlaceError and OutputUnwritableError."""
        values = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}
        values["data"] = [str(folder.resolve()) for folder in self.data]
        write_atomically(self.out / FILE, f"{json.dumps(values, indent=1)}\n".encode(), force=True)

    def reduces(self, device: str) -> bool:
        """Whether forward and backward passes run in bfloat16 on a device of that type."""
        return (device != "cpu" or multiplies_bf16()) if self.bf16 is None else self.bf16

    def progress(self, step: int, minutes: float) -> float:
        """The part of the run that is done, from 0; it ends at 1."""
        ends = [(step, self.steps), (minutes, self.minutes)]
        return max((done / end if end else 1.0) for done, end in ends if end is not None)
