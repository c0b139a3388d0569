"""The learning rate: up, level, down to nothing."""

from __future__ import annotations

import pytest

from s2lic.train.schedule import learning_rate


@pytest.mark.parametrize(
    ("step", "progress", "expected"),
    [
        (0, 0.0, 0.02),  # the first of 100 steps of warm-up
        (49, 0.0, 1.0),
        (99, 0.1, 2.0),
        (5000, 0.59, 2.0),
        (5000, 0.6, 2.0),  # the fall begins without a jump
        (5000, 0.8, 1.0),
        (5000, 0.9, 0.5),
        (5000, 1.0, 0.0),
        (5000, 1.5, 0.0),  # never below zero
        (49, 0.8, 0.5),  # a short run warms up while it falls
    ],
)
def test_the_rate_rises_stays_and_falls_in_a_line(step: int, progress: float, expected: float) -> None:
    assert learning_rate(2.0, step, progress, 100, 0.6, "linear") == pytest.approx(expected, abs=1e-12)


def test_without_a_warm_up_the_first_step_has_the_full_rate() -> None:
    assert learning_rate(2.0, 0, 0.0, 0, 0.6, "linear") == 2.0


@pytest.mark.parametrize(("progress", "expected"), [(0.5, 2.0), (0.75, 1.0), (1.0, 0.0)])
def test_a_cosine_falls_from_the_rate_to_nothing_by_half_a_wave(progress: float, expected: float) -> None:
    assert learning_rate(2.0, 5000, progress, 100, 0.5, "cosine") == pytest.approx(expected, abs=1e-12)


def test_a_constant_rate_stays_to_the_end() -> None:
    assert learning_rate(2.0, 5000, 0.99, 100, 0.5, "constant") == 2.0
