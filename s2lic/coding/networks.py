"""g_a, g_s and the entropy model of one set of weights, on a device and in a precision."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from s2lic.entropy.rounding import Aim
from s2lic.entropy.symbol_coder import Coded
from s2lic.errors import UsageError
from s2lic.runtime import multiplies_bf16
from s2lic.transform.config import STRIDE
from s2lic.transform.context import Context
from s2lic.weights.store import Weights


def to_tensor(image: Image.Image) -> Tensor:
    """(1, 3, H, W) float32 in [0, 1]."""
    pixels = torch.from_numpy(np.array(image.convert("RGB")))
    return pixels.permute(2, 0, 1).unsqueeze(0).float() / 255


def to_image(pixels: Tensor, grey: bool) -> Image.Image:
    """A picture of (3, H, W) uint8; grey by Pillow's luma."""
    picture = Image.fromarray(pixels.permute(1, 2, 0).contiguous().cpu().numpy())
    return picture.convert("L") if grey else picture


def pad(x: Tensor) -> Tensor:
    """Repeats the right and bottom edges up to multiples of 16."""
    return F.pad(x, (0, -x.shape[3] % STRIDE, 0, -x.shape[2] % STRIDE), mode="replicate")


PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}
AUTO = "auto"


@dataclass(frozen=True)
class Networks:
    """g_a, g_s and the entropy model of one set of weights, on a device.

    `precision` is that of g_a and g_s, "float32" or "bf16"; "auto" is float32 but for g_s on a CPU that multiplies
    bfloat16 itself. Symbols never depend on it. Levels are qualities of 0..10000. Raises UsageError for another.
    """

    weights: Weights
    device: torch.device
    precision: str = AUTO

    def __post_init__(self) -> None:
        if self.precision not in (AUTO, *PRECISIONS):
            raise UsageError(f"no precision '{self.precision}'; there are {AUTO}, {', '.join(PRECISIONS)}")

    @torch.inference_mode()
    def analyse(self, x: Tensor, level: int, beside: Tensor | None = None) -> Tensor:
        """g_a: (B, 3, H, W) in [0, 1], multiples of 16 -> y float32.

        The level and what is known beside it, (1, numbers), are for conditioned blocks.
        """
        with self._autocast(self._precision):
            return self.weights.model.g_a(_fast_layout(x - 0.5), self._context(x, level, beside))  # type: ignore[no-any-return]

    @torch.inference_mode()
    def synthesise(self, y_hat: Tensor, level: int) -> Tensor:
        """g_s: y_hat -> (B, 3, H, W) uint8."""
        x_hat = self.restore(y_hat, level)
        return x_hat.clamp_(0, 1).mul_(255).round_().to(torch.uint8)

    def restore(self, y_hat: Tensor, level: int) -> Tensor:
        """g_s: y_hat -> x_hat (B, 3, H, W), not clipped, with its gradients."""
        with self._autocast(self._quick if self.precision == AUTO else self._precision):
            return self.weights.model.g_s(_fast_layout(y_hat.float()), self._context(y_hat, level)) + 0.5  # type: ignore[no-any-return]

    def code(
        self, y: Tensor, level: int, finer: Tensor | None = None, aim: Aim | None = None
    ) -> tuple[list[Coded], Tensor]:
        """A stream for each y of a batch, and the y_hat of a decoder; see `LatentCoder.encode`."""
        levels = torch.full((len(y),), level, device=self.device)
        return self.weights.coder.encode(y, levels, finer, aim)

    def told(self, level: int) -> int:
        """What g_a and g_s are told of the level: equal for all of them, unless they are conditioned."""
        return level if self.weights.model.conditioned else 0

    def _context(self, x: Tensor, level: int, beside: Tensor | None = None) -> Context:
        told = None if beside is None else beside.expand(len(x), -1)
        return self.weights.model.context(torch.full((len(x),), level, device=x.device), told)

    @property
    def _precision(self) -> torch.dtype:
        return torch.float32 if self.precision == AUTO else PRECISIONS[self.precision]

    @property
    def _quick(self) -> torch.dtype:
        """bf16 where the CPU multiplies it faster."""
        return torch.bfloat16 if self.device.type == "cpu" and multiplies_bf16() else self._precision

    def _autocast(self, precision: torch.dtype) -> contextlib.AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=precision == torch.bfloat16)


def _fast_layout(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
