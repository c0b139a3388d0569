"""The ranges of the layers of an entropy model on real latents. The fixed-point grids follow from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from s2lic.entropy.acgc import Acgc
from s2lic.entropy.model import EntropyModel
from s2lic.entropy.slices import ResidualPrediction

# The suffix of the range of an input that is not the output of a layer.
INPUT = ".input"
PARTS = ("h_s", "walk.")


@dataclass(frozen=True)
class Range:
    """The least and the largest value of each channel, (C,)."""

    low: Tensor
    high: Tensor

    @property
    def magnitude(self) -> Tensor:
        return torch.maximum(-self.low, self.high)

    def joined(self, other: Range) -> Range:
        """The range of both."""
        return Range(torch.minimum(self.low, other.low), torch.maximum(self.high, other.high))

    @staticmethod
    def of(x: Tensor, channel: int) -> Range:
        """The range of each channel of a tensor. `channel` is the dimension of channels."""
        flat = x.detach().transpose(0, channel).flatten(1)
        return Range(flat.amin(1), flat.amax(1))


Ranges = dict[str, Range]


@contextmanager
def observed(entropy: EntropyModel) -> Iterator[Ranges]:
    """Record the ranges of the outputs of all layers, and of the inputs of h_s and LRP, by the name of the layer."""
    found: Ranges = {}

    def widen(name: str, x: Tensor, channel: int) -> None:
        seen = Range.of(x, channel)
        found[name] = found[name].joined(seen) if name in found else seen

    def output_hook(name: str, channel: int) -> Callable[..., None]:
        return lambda module, given, out: widen(name, out, channel)

    def input_hook(name: str) -> Callable[..., None]:
        return lambda module, given: widen(name + INPUT, given[0], 1)

    handles: list[Any] = []
    for name, module in entropy.named_modules():
        if not name.startswith(PARTS) or ".row_bias" in name or ".col_bias" in name:
            continue
        if isinstance(module, ResidualPrediction) or name == "h_s":
            handles.append(module.register_forward_pre_hook(input_hook(name)))
        elif isinstance(module, Acgc) or not [*module.children()]:
            last = isinstance(module, nn.Linear) and name.endswith("to_kv")
            handles.append(module.register_forward_hook(output_hook(name, -1 if last else 1)))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
