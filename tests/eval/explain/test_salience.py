"""What stands out is what differs from all that is like it."""

from __future__ import annotations

import pytest
import torch

from s2lic.eval.explain.overlay import grey, overlay, regions, shades
from s2lic.eval.explain.salience import salience
from tests.frozen import picture


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_a_map_of_one_value_has_nothing_that_stands_out(value: float) -> None:
    found = salience(torch.full((40, 30), value))
    assert found.shape == (40, 30)
    assert float(found.max()) == float(found.min()) == 0


def test_one_spot_on_even_ground_is_found() -> None:
    x = torch.full((48, 64), 0.2)
    x[10:16, 40:46] = 1.0
    found = salience(x)
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    row, column = divmod(int(found.argmax()), 64)
    assert 8 <= row < 18
    assert 38 <= column < 48
    assert float(found[10:16, 40:46].mean()) > 4 * float(found[30:, :20].mean())


def test_a_texture_that_repeats_stands_out_less_than_the_spot_in_it() -> None:
    x = 0.5 + 0.5 * torch.sin(torch.arange(64) * 1.5)[None, :].expand(48, 64).clone()
    x[20:26, 30:36] = 0.0
    found = salience(x)
    assert float(found[20:26, 30:36].mean()) > 2 * float(found[:10, :10].mean())


def test_the_brightest_hundredth_is_white_and_nothing_stays_black() -> None:
    x = torch.zeros(20, 20)
    assert shades(x).max() == 0
    x[:2] = 3.0
    assert shades(x)[:2].min() == 1
    assert grey(x).getextrema() == (0, 255)


def test_heat_lies_where_the_map_is_high() -> None:
    image, x = picture("portrait"), torch.zeros(120, 160)
    image = image.crop((0, 0, 160, 120))
    x[:60] = 1.0
    warm = overlay(image, x)
    assert warm.size == image.size
    assert warm.crop((0, 0, 160, 60)).getextrema()[0][0] > warm.crop((0, 70, 160, 120)).getextrema()[0][1] / 2


def test_a_map_of_regions_is_mid_grey_at_its_mean() -> None:
    x = torch.tensor([[0.0, 1.0, 2.0, 1.0]])
    assert list(regions(x).tobytes()) == [1, 128, 255, 128]
