"""Everything that depends on the quality: exact at the anchors, smooth between them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from s2lic.entropy.quality import (
    LAMBDA_MAX,
    LAMBDA_MIN,
    QUALITY_MAX,
    Gains,
    Modulation,
    Quality,
    quality_lambda,
)
from tests.references.weights import shaken

ANCHORS = 5
STEP = QUALITY_MAX // (ANCHORS - 1)


def levels(*values: float) -> Tensor:
    return torch.tensor(values)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_interpolation_is_exact_at_every_anchor() -> None:
    table = draw(ANCHORS, 3, 2)
    quality = Quality.of(torch.arange(ANCHORS) * STEP, ANCHORS)
    assert torch.equal(quality.interpolate(table), table)
    assert quality.nearest.tolist() == list(range(ANCHORS))


@pytest.mark.parametrize("level", [1, 1250, 2499, 2501, 6000, 7777, 9999])
def test_interpolation_is_linear_between_the_two_anchors_around_a_level(level: int) -> None:
    table = draw(ANCHORS, 4)
    low, part = level // STEP, level % STEP / STEP
    expected = (1 - part) * table[low] + part * table[low + 1]
    out = Quality.of(torch.tensor([level]), ANCHORS).interpolate(table)[0]
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-14)


def test_the_nearest_anchor_changes_half_way() -> None:
    middle = STEP // 2
    quality = Quality.of(torch.tensor([0, middle - 1, middle, STEP, QUALITY_MAX]), ANCHORS)
    assert quality.nearest.tolist() == [0, 0, 1, 1, ANCHORS - 1]


def test_positions_are_float64_and_the_table_keeps_its_type() -> None:
    quality = Quality.of(levels(3333.0), ANCHORS)
    assert quality.fraction.dtype == torch.float64
    assert quality.interpolate(torch.ones(ANCHORS, 2)).dtype == torch.float32


def test_lambda_runs_evenly_in_logarithm_from_end_to_end() -> None:
    lam = quality_lambda(torch.tensor([0, QUALITY_MAX // 4, QUALITY_MAX // 2, QUALITY_MAX]))
    span = LAMBDA_MAX / LAMBDA_MIN
    expected = [LAMBDA_MIN * span**part for part in (0, 0.25, 0.5, 1)]
    assert lam.tolist() == pytest.approx(expected, rel=1e-12)


def test_gains_are_exact_at_the_anchors_and_geometric_means_half_way() -> None:
    gains = shaken(Gains(ANCHORS, 3).double(), 0.5)
    anchors, inverses = gains.log_gain.exp().detach(), gains.log_inverse.exp().detach()
    at, inverse = gains(Quality.of(torch.arange(ANCHORS) * STEP, ANCHORS))
    between, _ = gains(Quality.of(torch.arange(ANCHORS - 1) * STEP + STEP // 2, ANCHORS))
    torch.testing.assert_close(at[:, :, 0, 0], anchors, rtol=1e-14, atol=0)
    torch.testing.assert_close(inverse[:, :, 0, 0], inverses, rtol=1e-14, atol=0)
    means = (anchors[:-1] * anchors[1:]).sqrt()
    torch.testing.assert_close(between[:, :, 0, 0], means, rtol=1e-13, atol=0)


def test_gains_between_anchors_are_exponential_in_the_level() -> None:
    gains = shaken(Gains(ANCHORS, 2).double(), 0.5)
    a, b = gains.log_gain[1].exp(), gains.log_gain[2].exp()
    out, _ = gains(Quality.of(torch.tensor([STEP + STEP // 5]), ANCHORS))
    torch.testing.assert_close(out[0, :, 0, 0], a**0.8 * b**0.2, rtol=1e-12, atol=0)


def test_gains_start_as_the_root_of_lambda_with_their_true_inverses() -> None:
    gain, inverse = Gains(ANCHORS, 3)(Quality.of(levels(0, 5000, 10000), ANCHORS))
    ratio = math.sqrt(LAMBDA_MAX / LAMBDA_MIN)
    expected = torch.tensor([ratio**-0.5, 1, ratio**0.5])[:, None, None, None].expand(3, 3, 1, 1)
    torch.testing.assert_close(gain, expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(gain * inverse, torch.ones_like(gain), rtol=1e-5, atol=0)


def test_modulation_scales_and_shifts_each_channel_by_its_quality() -> None:
    net, x = shaken(Modulation(ANCHORS, 3).double(), 0.5), draw(2, 3, 4, 5)
    out = net(x, Quality.of(torch.tensor([STEP, 3 * STEP]), ANCHORS))
    for i, anchor in enumerate((1, 3)):
        scale, shift = net.table[anchor][:, :, None, None]
        torch.testing.assert_close(out[i], x[i] * (1 + scale) + shift, rtol=0, atol=1e-14)


def test_modulation_starts_as_the_identity() -> None:
    x = draw(2, 3, 4, 5).float()
    assert torch.equal(Modulation(ANCHORS, 3)(x, Quality.of(levels(17, 9000), ANCHORS)), x)
