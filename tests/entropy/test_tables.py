from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from s2lic.entropy.tables import (
    MIN_REACH,
    TAIL_MASS,
    TOTAL,
    Tables,
    build_tables,
    gaussian_rows,
    quantize_pmf,
    row_count,
    row_scales,
)
from s2lic.errors import WeightsError

EXCEPTION_BITS = 32


@pytest.fixture(scope="module")
def tables() -> Tables:
    z_pmfs = [(-20, np.ones(41)), (480, np.array([0.0, 1.0, 0.0])), (-1, np.array([3.0, 1.0]))]
    return build_tables(z_pmfs, row_scales(row_count(512.0)))


def gaussian_mass(sigma: float, reach: int) -> NDArray[np.float64]:
    beyond = [math.erfc((k + 0.5) / sigma / math.sqrt(2)) / 2 for k in range(reach + 1)]
    side = -np.diff(beyond)
    return np.concatenate([side[::-1], [math.erf(0.5 / sigma / math.sqrt(2))], side])


def rate_and_loss(tables: Tables, sigma: float) -> tuple[float, float]:
    """Entropy of round(N(0, sigma)) and what the chosen row costs beyond, with exceptions."""
    nearest = min(max(round(16 * math.log2(sigma / 0.11)), 0), tables.gaussian_count - 1)
    row = tables.rows_as_lists[tables.gaussian_first + nearest]
    reach = (len(row) - 3) // 2
    far = max(reach, math.ceil(9 * sigma) + 20)
    mass = gaussian_mass(sigma, far)
    bits = 16 - np.log2(np.diff(row[:-1]))
    cost = np.pad(bits, far - reach, constant_values=bits[0] + EXCEPTION_BITS)
    entropy = -(mass[mass > 0] * np.log2(mass[mass > 0])).sum()
    return float(entropy), float(mass @ cost - entropy)


masses = st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=2, max_size=200)


@settings(deadline=None)
@given(masses.filter(lambda m: sum(m) > 0))
def test_every_slot_has_width_and_they_fill_the_row_up_to_a_slot_of_width_zero(
    pmf: list[float],
) -> None:
    row = quantize_pmf(np.array(pmf))
    assert row[0] == 0
    assert row[-2] == row[-1] == TOTAL
    assert (np.diff(row[:-1]) >= 1).all()
    assert row.size == len(pmf) + 2


@settings(max_examples=50, deadline=None)
@given(masses.filter(lambda m: sum(m) > 0))
def test_moving_one_unit_between_slots_never_shortens_the_code(pmf: list[float]) -> None:
    mass = np.array(pmf) / max(pmf)
    widths = np.diff(quantize_pmf(mass)[:-1]).astype(float)
    gain = (mass * np.log2((widths + 1) / widths)).max()
    shrinkable = widths > 1
    loss = (mass * np.log2(widths / np.where(shrinkable, widths - 1, 1)))[shrinkable].min()
    assert gain <= loss * (1 + 1e-9)


@pytest.mark.parametrize(
    "pmf",
    [[], [1.0], [0.0, 0.0], [1.0, -1e-9], [1.0, math.nan], [1.0, math.inf], [1.0] * 65537],
    ids=["empty", "one slot", "no mass", "negative", "nan", "infinite", "too many"],
)
def test_a_pmf_that_no_row_can_hold_is_refused(pmf: list[float]) -> None:
    with pytest.raises(WeightsError):
        quantize_pmf(np.array(pmf))


def test_a_row_may_be_full() -> None:
    assert np.array_equal(quantize_pmf(np.ones(TOTAL)), [*range(TOTAL + 1), TOTAL])


def test_a_known_row_stays_as_it_is() -> None:
    ((offset, row),) = gaussian_rows([1.0], reach=3)
    assert offset == -5
    assert row.tolist() == [
        *(0, 1, 16, 408, 4379, 20221, 45316, 61157, 65128, 65520, 65535, 65536),
        65536,
    ]


@pytest.mark.parametrize("scale", [0.11, 0.5, 1.0, 7.3, 100.0, 512.0])
def test_a_gaussian_row_is_symmetric_and_ends_where_slots_grow_too_light(scale: float) -> None:
    ((offset, row),) = gaussian_rows([scale])
    widths = np.diff(row[:-1])
    assert widths.size == 1 - 2 * offset
    assert abs(widths - widths[::-1]).max() <= 1
    mass = gaussian_mass(scale, 1 - offset)
    assert mass[0] < TAIL_MASS
    assert -offset == MIN_REACH or mass[1] >= TAIL_MASS


def test_16_rows_double_the_scale_and_the_last_reaches_the_largest(tables: Tables) -> None:
    scales = row_scales(tables.gaussian_count)
    assert np.allclose(scales, [0.11 * 2 ** (row / 16) for row in range(row_count(512.0))], rtol=1e-14)
    assert scales[-2] < 512 <= scales[-1]
    assert tables.gaussian_first == 3


@pytest.mark.parametrize(
    ("low", "high", "percent"), [(0.3, 0.5, 0.1), (0.5, 2, 0.05), (2, 100, 0.02), (100, 400, 0.07)]
)
def test_rows_cost_little_beyond_the_entropy_at_the_exact_scale(
    tables: Tables, low: float, high: float, percent: float
) -> None:
    spent = np.array([rate_and_loss(tables, sigma) for sigma in np.geomspace(low, high, 24)])
    assert spent[:, 1].sum() < percent / 100 * spent[:, 0].sum()


def test_at_the_smallest_scale_only_the_reach_costs(tables: Tables) -> None:
    _, loss = rate_and_loss(tables, 0.11)
    assert loss < 2 * MIN_REACH / TOTAL / math.log(2)


def test_stored_arrays_rebuild_the_same_tables(tables: Tables) -> None:
    again = Tables.from_arrays(tables.to_arrays())
    assert np.array_equal(again.cdf, tables.cdf)
    assert np.array_equal(again.sizes, tables.sizes)
    assert np.array_equal(again.offsets, tables.offsets)
    assert again.gaussian_first == tables.gaussian_first


def test_a_coder_call_gets_only_the_rows_in_use(tables: Tables) -> None:
    indexes, cdfs, sizes, offsets = tables.arguments(np.array([2, 0, 2]))
    assert indexes == [1, 0, 1]
    assert cdfs == [tables.rows_as_lists[0], tables.rows_as_lists[2]]
    assert sizes == [43, 4]
    assert offsets == [-20, -1]


DAMAGE = {
    "missing array": lambda a: a.pop("slots"),
    "wrong type": lambda a: a.update(slots=a["slots"].astype(np.int64)),
    "wrong shape": lambda a: a.update(widths=a["widths"][None]),
    "no rows": lambda a: a.update(slots=a["slots"][:0]),
    "lone slot": lambda a: a["slots"].__setitem__(0, 1),
    "huge slot count": lambda a: a["slots"].__setitem__(0, 2**31 - 1),
    "negative slot count": lambda a: a["slots"].__setitem__(0, -5),
    "slots moved to the next row": lambda a: a["slots"].__setitem__([0, 1], [40, 4]),
    "widths cut": lambda a: a.update(widths=a["widths"][:-1]),
    "slot of width zero": lambda a: a["widths"].__setitem__([0, 1], [0, 2 * a["widths"][0]]),
    "row too full": lambda a: a["widths"].__setitem__(0, 65535),
    "offsets cut": lambda a: a.update(offsets=a["offsets"][:-1]),
    "offset below 16 bits": lambda a: a["offsets"].__setitem__(0, -32769),
    "offset above 16 bits": lambda a: a["offsets"].__setitem__(0, 32767 - 39),
    "Gaussian row off zero": lambda a: a["offsets"].__setitem__(-1, 1),
    "two starts of y": lambda a: a.update(first=np.array([1, 2], np.int32)),
    "no rows of y": lambda a: a["first"].__setitem__(0, a["slots"].size),
    "y before z": lambda a: a["first"].__setitem__(0, -1),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_arrays_are_refused(tables: Tables, name: str) -> None:
    arrays = {key: array.copy() for key, array in tables.to_arrays().items()}
    DAMAGE[name](arrays)
    with pytest.raises(WeightsError):
        Tables.from_arrays(arrays)


@pytest.mark.parametrize(
    "row",
    [[1, 9, TOTAL, TOTAL], [0, 9, TOTAL - 1, TOTAL], [0, 9, 9, TOTAL, TOTAL], [0, 9, TOTAL]],
    ids=["late start", "bypass slot", "empty slot", "short"],
)
def test_a_hand_made_row_is_checked(row: list[int]) -> None:
    with pytest.raises(WeightsError):
        Tables(np.array(row), np.array([len(row)]), np.array([0]), 0)
