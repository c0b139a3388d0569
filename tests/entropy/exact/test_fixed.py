"""Rounding, tables and interpolation of integers."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch

from s2lic.entropy.exact.fixed import exp2, extent, interpolate, lookup, octave, requantise, snap


def test_ties_go_to_even_and_ends_are_kept() -> None:
    sums = torch.tensor([1.0, 3.0, 5.0, -1.0, -3.0, 100.0, -100.0])
    assert requantise(sums, 0.5, -8, 7).tolist() == [0, 2, 2, 0, -2, 7, -8]


def test_rounding_passes_gradients_and_a_clamp_stops_them() -> None:
    x = torch.tensor([0.4, 30.0], requires_grad=True)
    requantise(3 * x, 1.0, -8, 7).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.tolist() == [3, 0]
    assert snap(torch.tensor([0.4, 2.5])).tolist() == [0, 2]


def test_a_table_is_read_from_its_first_integer_and_its_gradient_is_its_slope() -> None:
    table = torch.tensor([9.0, 4.0, 1.0, 0.0, 1.0, 4.0, 9.0])
    x = torch.tensor([-3.0, 0.0, 2.0], requires_grad=True)
    found = lookup(x, table, -3)
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert found.tolist() == [9, 0, 4]
    assert x.grad is not None
    assert x.grad.tolist() == [-5, 0, 4]


def test_an_octave_is_2_to_the_k_1024ths_in_16_bits() -> None:
    for k, mantissa in enumerate(octave().tolist()):
        # The nearest integer m to 2^15 * 2^(k/1024): (2m - 1)^1024 < 2^(1024 * 16 + k) < (2m + 1)^1024.
        m = int(mantissa)
        assert (2 * m - 1) ** 1024 < 2 ** (1024 * 16 + k) < (2 * m + 1) ** 1024


@pytest.mark.parametrize("exponent", [-5000, -1024, -1, 0, 1, 1023, 1024, 7777])
def test_powers_of_any_octave_are_its_mantissas_times_a_power_of_two(exponent: int) -> None:
    found = float(exp2(torch.tensor([float(exponent)], dtype=torch.float64)))
    assert found == float(octave()[exponent % 1024]) * 2.0 ** (exponent // 1024 - 15)
    assert math.isclose(found, 2 ** (exponent / 1024), rel_tol=2**-16)


@pytest.mark.parametrize("anchors", [2, 4, 8])
def test_interpolation_is_the_exact_mean_of_two_anchors_rounded_to_even(anchors: int) -> None:
    table = torch.randint(-(2**22), 2**22, (anchors, 3), generator=torch.Generator().manual_seed(0))
    levels = torch.tensor([0, 1, 1249, 1250, 1251, 5000, 7143, 9999, 10_000])
    for level, row in zip(levels.tolist(), interpolate(table.float(), levels).tolist(), strict=True):
        low = min(level * (anchors - 1) // 10_000, anchors - 2)
        part = Fraction(level * (anchors - 1), 10_000) - low
        exact = [(1 - part) * int(a) + part * int(b) for a, b in zip(table[low], table[low + 1], strict=True)]
        assert row == [round(value) for value in exact]


def test_the_extent_bounds_every_partial_sum_and_is_reached() -> None:
    weight = torch.tensor([[3.0, -2.0, 1.0]])
    low, high = torch.tensor([-1.0, -5.0, 0.0]), torch.tensor([4.0, 2.0, 7.0])
    assert extent(weight, low, high).tolist() == [3 * 4 + 2 * 5 + 7]
