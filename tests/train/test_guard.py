"""Which steps are taken, and when a run gives up."""

from __future__ import annotations

import math

import pytest

from s2lic.errors import TrainingDivergedError
from s2lic.train.guard import MAX_BAD_STEPS, RECENT, WORST_JUMP, Guard


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, math.inf)])
def test_a_step_that_is_not_finite_is_not_taken(loss: float, norm: float) -> None:
    guard = Guard()
    assert not guard.accepts(loss, norm)
    assert guard.accepts(1.0, 1.0)
    assert (guard.skipped, guard.bad_in_a_row) == (1, 0)


def test_a_loss_that_leaps_away_from_the_recent_ones_is_not_taken() -> None:
    guard = Guard()
    assert all(guard.accepts(2.0, 1.0) for _ in range(RECENT))
    assert guard.accepts(2.0 * WORST_JUMP, 1.0)
    assert not guard.accepts(2.0 * WORST_JUMP * 1.01, 1.0)


def test_a_start_may_be_wild() -> None:
    guard = Guard()
    assert all(guard.accepts(loss, 1.0) for loss in (1.0, 1e6, 1.0))


def test_too_many_bad_steps_in_a_row_end_the_run_and_good_ones_between_do_not() -> None:
    guard = Guard()
    for _ in range(3):
        assert not any(guard.accepts(math.nan, 1.0) for _ in range(MAX_BAD_STEPS))
        assert guard.accepts(1.0, 1.0)
    for _ in range(MAX_BAD_STEPS):
        guard.accepts(math.nan, 1.0)
    with pytest.raises(TrainingDivergedError, match="lower --lr"):
        guard.accepts(math.nan, 1.0)
