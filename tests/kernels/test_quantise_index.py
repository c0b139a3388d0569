"""Symbols, rows and exceptions are equal to the bit: kernel, plain torch, and their definitions."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2lic.entropy.tables import SCALES
from s2lic.errors import ArithmeticFaultError, UsageError
from s2lic.kernels import quantise_index as public
from s2lic.kernels.quantise_index import naive, triton

THRESHOLDS = np.sqrt(SCALES[:-1] * SCALES[1:])
both = pytest.mark.parametrize("op", [naive, triton], ids=["naive", "triton"])
shapes = pytest.mark.parametrize(
    "shape", [(1, 1, 1), (2, 7, 3), (3, 64, 5), (1, 257, 2), (2, 0, 4)], ids=lambda s: "x".join(map(str, s))
)


def table(count: int = THRESHOLDS.size, device: torch.device | None = None) -> Tensor:
    return torch.from_numpy(THRESHOLDS[:count]).to(device)


def near_edges(shape: tuple[int, ...], margin: float) -> Tensor:
    """Scales that lie on thresholds, within the margin, on its edge to the last bit, and beyond it."""
    rng = np.random.default_rng(math.prod(shape))
    steps = rng.choice([0.0, 0.5, -0.5, 1.0, -1.0, 1 + 1e-6, -1 - 1e-6, 30.0, -30.0], shape)
    ulps = rng.integers(-2, 3, shape) * 2.0**-53
    return torch.from_numpy(rng.choice(THRESHOLDS, shape) * (1 + steps * margin) * (1 + ulps))


def near_halves(shape: tuple[int, ...]) -> Tensor:
    """Residuals that are large and small, whole, halves, and a bit off those."""
    rng = np.random.default_rng(math.prod(shape) + 1)
    step = rng.integers(-80, 81, shape) / 2 * rng.choice([1, 300], shape)
    return torch.from_numpy(step + rng.choice([0.0, 1e-9, -1e-9], shape))


def close(sigma: NDArray[np.float64], thresholds: NDArray[np.float64], margin: float) -> NDArray[np.bool_]:
    """Whether any threshold lies within the margin of a scale."""
    distance = np.abs(sigma[..., None] - thresholds) <= margin * sigma[..., None]
    return np.asarray(distance.any(-1))


@both
@shapes
@pytest.mark.parametrize("margin", [1e-9, 1e-3, 0.0])
def test_symbols_rows_and_exceptions_are_those_of_their_definitions(
    op: ModuleType, shape: tuple[int, ...], margin: float, device: torch.device
) -> None:
    sigma, residual = near_edges(shape, margin), near_halves(shape)
    found = op.quantise_index(residual.to(device), sigma.to(device), table(device=device), margin)
    symbols, rows, near = (t.cpu() for t in found)
    ordered = sigma.transpose(1, 2).numpy()
    assert np.array_equal(symbols.numpy(), np.rint(residual.transpose(1, 2).numpy()))
    assert np.array_equal(rows.numpy(), np.searchsorted(THRESHOLDS, ordered))
    assert np.array_equal(near.numpy(), np.flatnonzero(close(ordered, THRESHOLDS, margin)))
    assert [t.dtype for t in (symbols, rows, near)] == [torch.int16, torch.int32, torch.int64]


@both
@pytest.mark.parametrize("count", [0, 1, 2, 3, 127, 128, 191])
def test_the_decoder_finds_rows_in_tables_of_any_size(op: ModuleType, count: int, device: torch.device) -> None:
    sigma = near_edges((2, 40, 3), 1e-9)
    rows = op.index_scales(sigma.to(device), table(count, device))
    assert rows.dtype == torch.int32
    assert np.array_equal(rows.cpu().numpy(), np.searchsorted(THRESHOLDS[:count], sigma.transpose(1, 2).numpy()))


@both
@pytest.mark.parametrize("edge", [0.75, 1.25])
def test_a_scale_whose_distance_is_the_margin_is_near(op: ModuleType, edge: float, device: torch.device) -> None:
    one = torch.ones(1, 1, 1, dtype=torch.float64, device=device)
    thresholds = torch.tensor([edge], dtype=torch.float64, device=device)
    assert op.quantise_index(one, one, thresholds, 0.25)[2].tolist() == [0]
    assert op.quantise_index(one, one, thresholds, math.nextafter(0.25, 0))[2].tolist() == []


@both
def test_a_half_may_be_a_view_into_larger_tensors(op: ModuleType, device: torch.device) -> None:
    sigma, residual = near_edges((2, 30, 8), 1e-9), near_halves((2, 30, 8))
    whole = residual.transpose(1, 2).contiguous().to(device)
    views = (whole.transpose(1, 2)[..., 2:5], sigma.to(device)[..., 2:5])
    assert not any(view.is_contiguous() for view in views)
    found = op.quantise_index(*views, table(device=device), 1e-9)
    copies = (t[..., 2:5].contiguous() for t in (residual, sigma))
    for one, other in zip(found, naive.quantise_index(*copies, table(), 1e-9), strict=True):
        assert torch.equal(one.cpu(), other)


@both
def test_halves_round_to_even(op: ModuleType, device: torch.device) -> None:
    halves = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 32767.4, -32768.5], dtype=torch.float64, device=device)
    halves = halves.view(1, 1, -1)
    symbols, _, _ = op.quantise_index(halves, torch.ones_like(halves), table(device=device), 1e-9)
    assert symbols.flatten().tolist() == [-2, -2, 0, 0, 2, 2, 32767, -32768]


@both
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, 32767.5, -32769.0])
def test_a_symbol_beyond_16_bits_is_an_arithmetic_fault(op: ModuleType, value: float, device: torch.device) -> None:
    residual = torch.zeros(1, 300, 1, dtype=torch.float64, device=device)
    residual[0, 299] = value
    with pytest.raises(ArithmeticFaultError, match="16 bits"):
        op.quantise_index(residual, torch.ones_like(residual), table(device=device), 1e-9)


@both
@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, -1.0])
def test_a_scale_that_is_not_finite_and_positive_is_an_arithmetic_fault(
    op: ModuleType, value: float, device: torch.device
) -> None:
    sigma = torch.ones(1, 300, 1, dtype=torch.float64, device=device)
    sigma[0, 299] = value
    with pytest.raises(ArithmeticFaultError, match="finite and positive"):
        op.index_scales(sigma, table(device=device))
    with pytest.raises(ArithmeticFaultError, match="finite and positive"):
        op.quantise_index(torch.zeros_like(sigma), sigma, table(device=device), 1e-9)


@both
def test_scales_in_single_precision_are_refused(op: ModuleType, device: torch.device) -> None:
    with pytest.raises(UsageError, match="float64"):
        op.index_scales(torch.ones(1, 2, 3, device=device), table(device=device))


@pytest.mark.parametrize(("on_triton", "picked"), [(True, triton), (False, naive)], ids=["triton", "naive"])
def test_the_public_functions_run_what_was_picked(
    on_triton: bool, picked: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public, "runs_on_triton", lambda *_: on_triton)
    for name in ("quantise_index", "index_scales"):
        monkeypatch.setattr(picked, name, lambda *arguments, name=name: (name, arguments))
    one = torch.ones(1, 1, 1)
    assert public.quantise_index(one, one, one, 0.5) == ("quantise_index", (one, one, one, 0.5))
    assert public.index_scales(one, one) == ("index_scales", (one, one))


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
    found: NDArray[np.int64] = naive.count_below(torch.from_numpy(values), torch.from_numpy(thresholds)).numpy()
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
