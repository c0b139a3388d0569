"""Smooth pictures to train on, and a head start that looks at few of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from s2lic.train import init
from s2lic.train.data import Photos


def smooth(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """A sum of slow waves in each colour."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:height, :width] / 256
    waves = np.zeros((height, width, 3))
    for _ in range(6):
        fy, fx, phase = rng.uniform(-4, 4), rng.uniform(-4, 4), rng.uniform(0, 2 * np.pi)
        waves += rng.normal(size=3) * np.sin(2 * np.pi * (fy * rows + fx * cols) + phase)[..., None]
    return (127.5 + 100 * np.tanh(waves / 2)).round().astype(np.uint8)


def pictures() -> Photos:
    return Photos([smooth(256 + 8 * i, 288, i) for i in range(3)], np.full(3, 1 / 3))


@pytest.fixture(scope="session")
def photos() -> Photos:
    return pictures()


@pytest.fixture
def quick_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "PATCHES_FROM", 4)
