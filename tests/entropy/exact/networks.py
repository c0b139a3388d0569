"""Small exact networks of random float ones, and the symbols that walks over them are given."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2lic.entropy.config import EntropyRow
from s2lic.entropy.exact.convert import quantised
from s2lic.entropy.exact.networks import ExactEntropy, ExactQuantise
from s2lic.entropy.model import EntropyModel
from s2lic.model import build, config
from tests.entropy.exact.oracle import Oracle
from tests.exporting import ranges_on_noise

SIZES: EntropyRow = config("tiny").entropy
Seen = list[tuple[NDArray[np.int64], NDArray[np.int64]]]


def noisy(seed: int) -> EntropyModel:
    """A float model in which no weight is zero."""
    entropy, generator = build("tiny", seed).entropy.eval(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in entropy.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return entropy


@cache
def integers(seed: int = 0, loud: float = 1.0) -> dict[str, Tensor]:
    """Those of networks whose weights are all noise; the louder, the more sums clamp."""
    entropy = noisy(seed)
    with torch.no_grad():
        ranges = ranges_on_noise(entropy)
        for parameter in entropy.parameters():
            parameter.mul_(loud)
        return quantised(entropy, ranges)


def fast(found: dict[str, Tensor], carrier: torch.dtype = torch.float32) -> ExactEntropy:
    return ExactEntropy(SIZES, {name: value.to(carrier) for name, value in found.items()})


def oracle(found: dict[str, Tensor]) -> Oracle:
    tensors = {name: value.numpy().astype(np.int64) for name, value in found.items()}
    return Oracle(tensors, SIZES.slices, fast(found).rows)


def given(first: int, shape: tuple[int, ...], reach: int) -> NDArray[np.int64]:
    """The symbols of a half, whoever asks."""
    return np.random.default_rng([first, *shape, reach]).integers(-reach, reach + 1, shape)


def side(size: tuple[int, int], reach: int) -> NDArray[np.int64]:
    return np.random.default_rng(1).integers(-reach, reach + 1, (SIZES.side, -(-size[0] // 4), -(-size[1] // 4)))


def quantiser(reach: int, seen: Seen) -> ExactQuantise:
    """Hands out symbols and notes what a half came with."""

    def quantise(mu: Tensor, rows: Tensor, first: int, at: Tensor) -> Tensor:
        seen.append((mu[0].double().numpy().astype(np.int64), rows[0].double().numpy().astype(np.int64)))
        return torch.from_numpy(given(first, tuple(mu.shape[1:]), reach)).to(mu)[None]

    return quantise


def walk(
    networks: ExactEntropy,
    level: int,
    size: tuple[int, int],
    reach: int,
    step_exponent: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], Seen]:
    """y_hat (M, h, w) of a walk, and the means and rows of each half."""
    seen: Seen = []
    z = torch.from_numpy(side(size, reach)).to(networks.dtype)[None]
    steps = None if step_exponent is None else torch.from_numpy(step_exponent).to(networks.dtype)[None, None]
    with torch.inference_mode():
        y_hat = networks(z, torch.tensor([level]), size, quantiser(reach, seen), steps)
    return y_hat[0].double().numpy().astype(np.int64), seen


def slow_walk(
    networks: Oracle, level: int, size: tuple[int, int], reach: int, step_exponent: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], Seen]:
    """The same by the oracle."""
    seen: Seen = []

    def symbols(
        mu: NDArray[np.int64], rows: NDArray[np.int64], first: int, places: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        seen.append((mu, rows))
        return given(first, mu.shape, reach)

    return networks.run(side(size, reach), level, size, symbols, step_exponent), seen
