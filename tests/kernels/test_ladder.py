"""The number of thresholds below each scale is the one that a bisection finds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2lic.entropy.tables import SCALES
from s2lic.kernels.quantise_index import ladder

TINY = np.finfo(np.float64).tiny
CLOSE = 1.0 + np.arange(5) * np.finfo(np.float64).eps
LADDERS = {
    "usual rows": np.sqrt(SCALES[:-1] * SCALES[1:]),
    "one": np.array([1.0]),
    "none": np.array([]),
    "several in a cell": np.sort(np.random.default_rng(1).uniform(0.9, 1.1, 60)),
    "neighbouring floats": CLOSE,
    "from the smallest to the largest": np.array([5e-324, TINY, 1.0, 1e308]),
}


def count_below(values: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    found: NDArray[np.int64] = ladder.count_below(torch.from_numpy(values), torch.from_numpy(thresholds)).numpy()
    return found


def around(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positive finite values on, beside and between thresholds, and far from all of them."""
    drawn = np.exp(np.random.default_rng(0).uniform(-12, 12, 2000))
    near = [thresholds, np.nextafter(thresholds, 0), np.nextafter(thresholds, np.inf)]
    values = np.concatenate([drawn, *near, [5e-324, TINY, 1.0, np.finfo(np.float64).max]])
    return values[(values > 0) & (values < np.inf)]


@pytest.mark.parametrize("thresholds", LADDERS.values(), ids=LADDERS)
def test_counts_are_those_of_a_bisection(thresholds: NDArray[np.float64]) -> None:
    values = around(thresholds)
    assert np.array_equal(count_below(values, thresholds), np.searchsorted(thresholds, values))


def test_a_value_on_a_threshold_does_not_have_it_below() -> None:
    assert count_below(CLOSE, CLOSE).tolist() == [0, 1, 2, 3, 4]


def test_the_shape_is_that_of_the_values_whatever_their_layout() -> None:
    values = np.exp(np.random.default_rng(0).normal(size=(6, 8))).T[::2]
    assert np.array_equal(count_below(values, CLOSE), np.searchsorted(CLOSE, values))
    assert count_below(np.empty((0, 3)), CLOSE).shape == (0, 3)
