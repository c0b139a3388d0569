"""g_a, g_s and the entropy model of one set of weights, on a device and in a precision."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from s2lic.entropy.config import EntropyRow
from s2lic.entropy.latent_size import LatentSize
from s2lic.entropy.rounding import QuantTarget
from s2lic.entropy.symbol_coder import SymbolStream
from s2lic.entropy.tables import Tables
from s2lic.errors import UsageError
from s2lic.runtime import multiplies_bf16
from s2lic.transform.config import STRIDE
from s2lic.transform.context import Context
from s2lic.weights.store import Weights


def to_tensor(image: Image.Image) -> Tensor:
    """(1, 3, H, W) float32 in [0, 1]."""
    pixels = torch.from_numpy(np.array(image.convert("RGB")))
    return pixels.permute(2, 0, 1).unsqueeze(0).float() / 255


def pad(x: Tensor) -> Tensor:
    """Pad to multiples of 16 by repeating the right and bottom edges."""
    return F.pad(x, (0, -x.shape[3] % STRIDE, 0, -x.shape[2] % STRIDE), mode="replicate")


PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}
AUTO = "auto"


@dataclass(frozen=True)
class Networks:
    """The networks of one set of weights. Quality levels are 0..10000.

    Attributes:
        weights: The weights.
        device: The device to compute on.
        precision: The precision of g_a and g_s: "float32", "bf16", or "auto", which is float32 except for g_s on a
            CPU that has instructions for bfloat16. Symbols never depend on it.

    Raises:
        UsageError: There is no such precision.
    """

    weights: Weights
    device: torch.device
    precision: str = AUTO

    def __post_init__(self) -> None:
        if self.precision not in (AUTO, *PRECISIONS):
            raise UsageError(f"no precision '{self.precision}'; there are {AUTO}, {', '.join(PRECISIONS)}")

    @torch.inference_mode()
    def analyse(self, x: Tensor, level: int, condition: Tensor | None = None) -> Tensor:
        """g_a: (B, 3, H, W) in [0, 1], multiples of 16 -> y float32.

        The level and the condition, (1, numbers), are for blocks that are conditioned on them.
        """
        with self._autocast(self._precision):
            return self.weights.model.g_a(_fast_layout(x - 0.5), self._context(x, level, condition))  # type: ignore[no-any-return]

    @torch.inference_mode()
    def synthesise(self, y_hat: Tensor, level: int) -> Tensor:
        """g_s: y_hat -> (B, 3, H, W) uint8."""
        x_hat = self.synthesise_float(y_hat, level)
        return x_hat.clamp_(0, 1).mul_(255).round_().to(torch.uint8)

    def synthesise_float(self, y_hat: Tensor, level: int) -> Tensor:
        """g_s: y_hat -> x_hat (B, 3, H, W) float32, not clipped, with its gradients."""
        with self._autocast(self._quick if self.precision == AUTO else self._precision):
            return self.weights.model.g_s(_fast_layout(y_hat.float()), self._context(y_hat, level)) + 0.5  # type: ignore[no-any-return]

    def encode_latent(
        self, y: Tensor, level: int, step_exponent: Tensor | None = None, target: QuantTarget | None = None
    ) -> tuple[list[SymbolStream], Tensor]:
        """A stream for each y of a batch, and the y_hat of a decoder; see `LatentCoder.encode`."""
        levels = torch.full((len(y),), level, device=self.device)
        return self.weights.coder.encode(y, levels, step_exponent, target)

    def decode_latent(
        self,
        streams: list[SymbolStream],
        levels: list[int],
        size: LatentSize,
        step_exponent: NDArray[np.int64] | None = None,
    ) -> Tensor:
        """y_hat (B, M, h, w) of streams of equal size. `step_exponent` is (B, h, w). See `LatentCoder.decode`."""
        steps = None if step_exponent is None else torch.from_numpy(step_exponent)
        return self.weights.coder.decode(streams, torch.tensor(levels, device=self.device), size, steps)

    @property
    def entropy_row(self) -> EntropyRow:
        """The sizes of the entropy model."""
        return self.weights.model.row.entropy

    @property
    def tables(self) -> Tables:
        """The tables of the range coder."""
        return self.weights.tables

    def condition_level(self, level: int) -> int:
        """The level that g_a and g_s are conditioned on; 0 at every level for a model without such blocks."""
        return level if self.weights.model.conditioned else 0

    def _context(self, x: Tensor, level: int, condition: Tensor | None = None) -> Context:
        rows = None if condition is None else condition.expand(len(x), -1)
        return self.weights.model.context(torch.full((len(x),), level, device=x.device), rows)

    @property
    def _precision(self) -> torch.dtype:
        return torch.float32 if self.precision == AUTO else PRECISIONS[self.precision]

    @property
    def _quick(self) -> torch.dtype:
        """bfloat16 if the CPU multiplies it faster than float32."""
        return torch.bfloat16 if self.device.type == "cpu" and multiplies_bf16() else self._precision

    def _autocast(self, precision: torch.dtype) -> contextlib.AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=precision == torch.bfloat16)


def _fast_layout(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
