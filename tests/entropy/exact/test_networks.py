"""The exact networks equal the oracle to the bit, whatever carries the integers and however they are summed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from s2lic.entropy.exact import layers
from s2lic.entropy.exact.layers import PRE, ExactAffine
from tests.entropy.exact.networks import SIZES, fast, integers, oracle, slow_walk, walk

CARRIERS = [torch.float32, torch.float64]
# Latents of one place, one line, a size that no bin of the pool divides, and more than 16 places a side.
WALKS = [((1, 1), 0, 2), ((1, 5), 9999, 100), ((7, 18), 5000, 3), ((17, 6), 10_000, 30_000), ((16, 16), 1234, 8)]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(("size", "level", "reach"), WALKS)
@pytest.mark.parametrize("loud", [1.0, 8.0])
def test_a_walk_equals_the_oracle(
    carrier: torch.dtype, size: tuple[int, int], level: int, reach: int, loud: float
) -> None:
    found = integers(3, loud)
    y_hat, seen = walk(fast(found, carrier), level, size, reach)
    expected, known = slow_walk(oracle(found), level, size, reach)
    assert np.array_equal(y_hat, expected)
    assert len(seen) == len(known) == 2 * len(SIZES.slices)
    for (mu, rows), (known_mu, known_rows) in zip(seen, known, strict=True):
        assert np.array_equal(mu, known_mu)
        assert np.array_equal(rows, known_rows)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_levels_of_regions_move_rows_and_steps_alike(carrier: torch.dtype) -> None:
    found, size = integers(5), (6, 9)
    step_exponent = np.random.default_rng(2).integers(-4, 4, size[0] * size[1])
    y_hat, seen = walk(fast(found, carrier), 4321, size, 5, step_exponent)
    expected, known = slow_walk(oracle(found), 4321, size, 5, step_exponent)
    assert np.array_equal(y_hat, expected)
    assert all(np.array_equal(rows, known_rows) for (_, rows), (_, known_rows) in zip(seen, known, strict=True))


def test_threads_change_nothing() -> None:
    before, found = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(walk(fast(integers(7)), 2500, (24, 40), 6)[0])
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(*found)


def test_pictures_of_a_batch_are_walked_as_if_alone() -> None:
    networks, levels = fast(integers(8)), torch.tensor([700, 9300])
    z = torch.randint(-9, 10, (2, SIZES.side, 2, 2), generator=torch.Generator().manual_seed(0)).float()
    with torch.inference_mode():
        together = networks(z, levels, (7, 8), lambda mu, rows, first, at: torch.ones_like(mu))
        alone = [
            networks(z[i : i + 1], levels[i : i + 1], (7, 8), lambda mu, rows, first, at: torch.ones_like(mu))
            for i in (0, 1)
        ]
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_summation_changes_nothing(kernel: int, seed: int) -> None:
    """At the bound itself: channels permuted, and the same sums as one product of matrices."""
    generator = torch.Generator().manual_seed(seed)
    source = 2**24 // (kernel * kernel * 511 * 512) - 1
    weight = torch.randint(-511, 512, (4, source, kernel, kernel), generator=generator).float()
    x = torch.randint(-512, 512, (1, source, 9, 11), generator=generator).float()
    order, rest = torch.randperm(source, generator=generator), {"bias": torch.ones(4), "shift": torch.full((4,), -11.0)}
    layer, moved = ExactAffine({"weight": weight, **rest}, PRE), ExactAffine({"weight": weight[:, order], **rest}, PRE)
    columns = torch.nn.functional.unfold(x.double(), kernel, padding=kernel // 2)
    sums = (weight.double().flatten(1) @ columns + 1).view(1, 4, 9, 11)
    assert torch.equal(layer(x), (sums / 2**11).round().clamp(*PRE).float())
    assert torch.equal(moved(x[:, order]), layer(x))


@pytest.mark.parametrize("groups", [1, 6])
def test_a_product_in_place_of_a_library_gives_the_same_sums(groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way that devices other than a CPU take."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-512, 512, (2, 6, 5, 7), generator=generator).float()
    weight = torch.randint(-511, 512, (6, 6 // groups, 3, 3), generator=generator).float()
    spread = torch.randint(-511, 512, (6, 4, 4, 4), generator=generator).float()
    expected = layers.convolve(x, weight), layers.spread_out(x, spread)
    monkeypatch.setattr(layers, "LIBRARY", ())
    assert torch.equal(layers.convolve(x, weight), expected[0])
    assert torch.equal(layers.spread_out(x, spread), expected[1])


def test_every_sum_stays_below_2_to_the_24(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of walks so loud that everything clamps; the bound itself is held in `test_quantise.py`."""
    worst = [0.0]

    def rounded(self: ExactAffine, sums: torch.Tensor) -> torch.Tensor:
        worst[0] = max(worst[0], float(sums.abs().max()))
        return real(self, sums)

    real = ExactAffine.rounded
    monkeypatch.setattr(ExactAffine, "rounded", rounded)
    for loud, (size, level, reach) in zip((1.0, 4.0), WALKS[2:4], strict=True):
        walk(fast(integers(9, loud)), level, size, reach)
    assert 2**16 < worst[0] < 2**24


def test_rows_rise_with_the_quality() -> None:
    walks = [walk(fast(integers(0)), level, (4, 4), 1)[1] for level in (0, 5000, 10_000)]
    means = [np.mean([rows.mean() for _, rows in seen]) for seen in walks]
    assert all(low < high for low, high in pairwise(means))
