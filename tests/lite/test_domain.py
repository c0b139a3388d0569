"""What a quality makes of channels is the same in numpy as in torch, and a runtime that adds inexactly is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from s2lic.entropy.exact import fixed
from s2lic.entropy.exact.limits import ANSWER_LEVEL
from s2lic.entropy.exact.networks import Domain
from s2lic.errors import InexactDeviceError
from s2lic.lite.domain import QualityScales, exp2, interpolate, restored
from s2lic.lite.known_answer import answer
from s2lic.lite.networks import OnnxNetworks, open_networks
from s2lic.lite.sessions import Sessions
from s2lic.onnx.export import builders
from s2lic.weights.arrays import load_arrays
from tests.frozen import MODEL, codec

WEIGHTS = load_arrays(MODEL)
levels = st.integers(0, 10_000)


@given(st.lists(st.integers(-20_000, 20_000), min_size=1, max_size=9))
def test_powers_of_two_are_those_of_torch(exponents: list[int]) -> None:
    found = exp2(np.array(exponents, np.float64))
    assert np.array_equal(found, fixed.exp2(torch.tensor(exponents, dtype=torch.float64)).numpy())


@given(levels, st.integers(0, 2**32 - 1))
def test_tables_between_anchors_are_those_of_torch(level: int, seed: int) -> None:
    table = np.random.default_rng(seed).integers(-32768, 32768, (8, 5)).astype(np.int16)
    expected = fixed.interpolate(torch.from_numpy(table).float(), torch.tensor([level]))[0]
    assert np.array_equal(interpolate(table, level), expected.numpy())


@given(levels, st.integers(-4, 3))
def test_means_rows_and_contexts_are_those_of_torch(level: int, step_exponent: int) -> None:
    x = np.random.default_rng(level).integers(-32768, 32768, (4, 7)).astype(np.float32)
    ours, torchs = QualityScales(WEIGHTS.exact, level), Domain(codec().weights.exact.tensors, torch.tensor([level]))
    part, steps = slice(4, 8), np.full(7, step_exponent, np.float64)
    assert np.array_equal(ours.mu(x, part), torchs.mu(torch.from_numpy(x)[None], part)[0])
    assert np.array_equal(ours.context(64 * x, part), torchs.context(torch.from_numpy(64 * x)[None], part)[0])
    row = torchs.row(torch.from_numpy(x)[None], part, torch.from_numpy(steps).float().view(1, 1, -1))
    assert np.array_equal(ours.rows(x, part, steps, 180), (row[0] / 64).round().clamp(0, 179))


def test_a_step_is_as_fine_as_its_region_says() -> None:
    symbols = np.array([[-3, 0, 1, 5]])
    assert restored(symbols, None).tolist() == [[-192, 0, 64, 320]]
    assert restored(symbols, np.array([4.0, 4.0, -4.0, -4.0])).tolist() == [[-96, 0, 128, 640]]


def test_the_known_answer_is_that_of_torch_and_another_is_refused() -> None:
    networks = OnnxNetworks(WEIGHTS, Sessions(builders(WEIGHTS), threads=1))
    assert answer(networks.walk(ANSWER_LEVEL)) == WEIGHTS.known_answer
    with pytest.raises(InexactDeviceError, match=r"onnxruntime does not compute .*--runtime torch"):
        open_networks(replace(WEIGHTS, known_answer=WEIGHTS.known_answer ^ 1), threads=1)
