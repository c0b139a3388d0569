"""The cost of a configuration: parameters and multiply-accumulates per pixel, part by part.

Torch's flop counter counts matrix products and convolutions. Gathers, sorts, FFTs and element-wise work cost nothing.
It does not see into Triton kernels, so everything is counted on CPU or fake tensors, where each operation of `kernels`
runs its plain torch version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from s2lic.model import S2LIC, build
from s2lic.transform.config import STRIDE
from s2lic.transform.window import mask

HEIGHT, WIDTH = 512, 768
PARTS = {
    "g_a": "g_a",
    "g_s": "g_s",
    "h_a": "entropy.h_a",
    "h_s": "entropy.h_s",
    "slices": "entropy.walk",
}


@dataclass(frozen=True)
class Cost:
    """Parameters in total and by part, and kMAC per pixel by part. Gains and the prior belong to no part."""

    config: str
    parameters: int
    part_parameters: dict[str, int]
    kmac: dict[str, float]

    @property
    def encode(self) -> float:
        """kMAC per pixel to encode."""
        return self.entropy + self.kmac["g_a"] + self.kmac["h_a"]

    @property
    def decode(self) -> float:
        """kMAC per pixel to decode."""
        return self.entropy + self.kmac["g_s"]

    @property
    def entropy(self) -> float:
        """kMAC per pixel of h_s and the slices, which encoder and decoder both run in float64."""
        return self.kmac["h_s"] + self.kmac["slices"]


@cache
def cost(config: str) -> Cost:
    """The cost of the configuration of that name. Raises UnknownConfigError."""
    return count(lambda: build(config))


def count(make: Callable[[], S2LIC]) -> Cost:
    """The cost of the model that `make` builds, on one picture of 768 x 512."""
    with without_data():
        model = make().eval()
        flops = _flops(model)
    parts = {part: model.get_submodule(path) for part, path in PARTS.items()}
    kmac = {part: flops[type(module).__name__] / 2 / 1000 / (HEIGHT * WIDTH) for part, module in parts.items()}
    return Cost(model.row.name, _parameters(model), {part: _parameters(module) for part, module in parts.items()}, kmac)


def _flops(model: S2LIC) -> dict[str, int]:
    """Floating-point operations of coding by module class. A multiply-accumulate counts as two."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        quality, context = model.entropy.quality(torch.zeros(1)), model.blank(torch.zeros(1))
        y = model.g_a(torch.zeros(1, 3, HEIGHT, WIDTH), context)
        z = model.entropy.hyper_analysis(y, quality)
        size = (HEIGHT // STRIDE, WIDTH // STRIDE)
        model.g_s(model.entropy.reconstruct(z, quality, size, lambda mu, *_: mu), context)
    return {name: sum(operations.values()) for name, operations in counter.get_flop_counts().items()}


def macs(forward: Callable[[], object]) -> int:
    """Multiply-accumulates of one call, half of its floating-point operations."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        forward()
    return counter.get_total_flops() // 2


def _parameters(part: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())


@contextmanager
def without_data() -> Iterator[None]:
    """Makes all tensors fake: shapes without data. The cache of window masks is cleared, so that no fake mask stays."""
    mask.cache_clear()
    try:
        with FakeTensorMode():
            yield
    finally:
        mask.cache_clear()
