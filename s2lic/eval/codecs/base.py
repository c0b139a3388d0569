"""The interface of codecs for evaluation: a row of data that opens a codec, and the opened codec."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType

from PIL import Image

from s2lic.errors import ExtraMissingError, QualityRangeError, UsageError


class Coder(ABC):
    """An opened codec.

    `identity` names all that determines its files: versions, settings, the hash of weights. `outside_mib` is the peak
    memory of external programs during the last call. `extension` is that of its files if its row does not know it.
    """

    identity: str
    extension: str = ""
    outside_mib: float = 0.0

    @abstractmethod
    def encode(self, image: Image.Image, quality: float) -> bytes:
        """Encodes an RGB or grey picture."""

    @abstractmethod
    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        """Decodes a file. `size` is (width, height), which some formats do not store."""


@dataclass(frozen=True)
class Scale:
    """The range of a codec's quality parameter, and its name."""

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
    """A codec in the table.

    Args:
        name: Its name on the command line.
        label: Its name in legends.
        extension: The extension of its files.
        scale: The range of its quality parameter.
        qualities: The default qualities.
        open: Opens it, given its options.
        options: Descriptions of its options for `--set`.
        warm: Whether it encodes a picture once before it is timed.
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
        """Raises UsageError for an option that the codec does not have."""
        for name in options:
            if name not in self.options:
                known = ", ".join(f"{self.name}.{key} ({text})" for key, text in self.options.items()) or "none"
                raise UsageError(f"{self.name} has no option '{name}'; it has {known}")


def need(module: str, what: str, extra: str) -> ModuleType:
    """Imports a module that an extra of this package installs. Raises ExtraMissingError."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ExtraMissingError(
            f"{what} needs {module}, which is not installed: pip install 's2lic[{extra}]'"
        ) from error
