"""What a codec is to an evaluation: a frozen row that tells how to open it, and what it is then asked for."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType

from PIL import Image

from s2lic.errors import ExtraMissingError, QualityRangeError, UsageError


class Coder(ABC):
    """An opened codec. `identity` names whatever decides its files: versions, settings, the weights' hash.

    `outside_mib` is the largest memory of the programs that the last call ran, for codecs that are programs.
    """

    identity: str
    outside_mib: float = 0.0

    @abstractmethod
    def encode(self, image: Image.Image, quality: float) -> bytes:
        """The file of a picture, RGB or grey."""

    @abstractmethod
    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        """The picture of a file; `size` is (width, height), which some formats do not hold."""


@dataclass(frozen=True)
class Scale:
    """What qualities a codec takes, and what they are called."""

    low: float
    high: float
    whole: bool = True
    word: str = "quality"

    def check(self, codec: str, quality: float) -> None:
        """Raises QualityRangeError."""
        if not self.low <= quality <= self.high or (self.whole and quality != int(quality)):
            kind = "whole numbers" if self.whole else "numbers"
            raise QualityRangeError(
                f"{codec} takes a {self.word} of {kind} from {self.low:g} to {self.high:g}, not {quality:g}"
            )


@dataclass(frozen=True)
class CodecRow:
    """One codec: `qualities` are those measured unless others are asked for, `options` what `--set` takes.

    `warm` codecs code a picture once before they are timed.
    """

    name: str
    label: str
    extension: str
    scale: Scale
    qualities: tuple[float, ...]
    open: Callable[[Mapping[str, str]], Coder]
    options: Mapping[str, str] = field(default_factory=dict)
    warm: bool = True

    def check(self, options: Mapping[str, str]) -> None:
        """Raises UsageError if there is an option that the codec does not take."""
        for name in options:
            if name not in self.options:
                known = ", ".join(f"{self.name}.{key} ({text})" for key, text in self.options.items()) or "none"
                raise UsageError(f"{self.name} has no option '{name}'; it has {known}")


def need(module: str, what: str, package: str) -> ModuleType:
    """A module of an optional package. Raises ExtraMissingError."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ExtraMissingError(f"{what} needs {module}; install it with: pip install {package}") from error
