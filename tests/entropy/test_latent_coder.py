"""A latent to coded symbols and back, and what a few bytes may claim."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from s2lic.container.header import STATE_BYTES
from s2lic.entropy.latent_size import LatentSize, least_bits
from s2lic.entropy.rounding import RDOQ, QuantTarget
from s2lic.entropy.symbol_coder import SymbolReader, SymbolStream, SymbolWriter, check_capacity
from s2lic.errors import ArithmeticFaultError, PayloadSizeError
from s2lic.weights.store import Weights, load
from tests.frozen import MODEL
from tests.scaled import read_scaled, write_scaled

LEVELS = torch.tensor([1200, 8000])


@pytest.fixture(scope="module")
def weights() -> Weights:
    return load(MODEL)


def latent(weights: Weights, height: int, width: int, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(height * width)
    return 3 * torch.randn(count, weights.model.row.entropy.latent, height, width, generator=generator)


def streams(weights: Weights, y: Tensor, levels: Tensor = LEVELS) -> list[SymbolStream]:
    return weights.coder.encode(y, levels)[0]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 2), (2, 1), (3, 5), (4, 4), (9, 17)])
@pytest.mark.parametrize("regions", [False, True])
def test_the_decoder_finds_the_latent_that_the_encoder_sees(
    weights: Weights, height: int, width: int, regions: bool
) -> None:
    y, size = latent(weights, height, width), LatentSize(height, width)
    steps = torch.randint(-4, 4, (2, height, width), generator=torch.Generator().manual_seed(0)) if regions else None
    coded, expected = weights.coder.encode(y, LEVELS, steps)
    assert torch.equal(weights.coder.decode(coded, LEVELS, size, steps), expected)
    assert [c.count for c in coded] == [size.symbols(weights.model.row.entropy)] * 2


def test_a_symbol_leaves_half_a_step_at_most_before_the_correction(weights: Weights) -> None:
    y = latent(weights, 6, 7, 1)
    sent, gain = weights.coder.estimate(y, LEVELS[:1], QuantTarget(y)).sent, weights.coder.gains(LEVELS[:1])[0]
    assert (sent - y * gain).abs().max() <= 0.5 + 1e-4
    zeroed = weights.coder.estimate(y, LEVELS[:1], QuantTarget(y, RDOQ(torch.zeros(y.shape[1])))).sent - y * gain
    assert 0.5 < zeroed.abs().max() <= 1.5 + 1e-4


@pytest.mark.parametrize("regions", [False, True])
def test_an_estimate_gives_the_coded_y_hat_and_about_its_bits(weights: Weights, regions: bool) -> None:
    y = latent(weights, 12, 20, 1) / 3
    aim = QuantTarget(y + 0.3, RDOQ(torch.full((y.shape[1],), 4.0)))
    steps = torch.randint(-4, 4, (1, 12, 20), generator=torch.Generator().manual_seed(1)) if regions else None
    (coded,), y_hat = weights.coder.encode(y, LEVELS[:1], steps, aim)
    found = weights.coder.estimate(y, LEVELS[:1], aim, steps)
    assert torch.equal(found.y_hat, y_hat)
    assert abs(found.bits.sum() - 8 * len(coded.payload)) <= 0.1 * 8 * len(coded.payload)


def test_pictures_of_a_batch_are_coded_as_if_alone(weights: Weights) -> None:
    y = latent(weights, 5, 7)
    together = streams(weights, y)
    alone = [streams(weights, y[i : i + 1], LEVELS[i : i + 1])[0] for i in (0, 1)]
    assert together == alone


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e30, 1e9])
def test_a_latent_beyond_all_measure_is_an_arithmetic_fault(weights: Weights, value: float) -> None:
    y = latent(weights, 2, 2)
    y[0, 3, 1, 1] = value
    with pytest.raises(ArithmeticFaultError):
        streams(weights, y)


def test_the_side_information_covers_the_latent() -> None:
    assert LatentSize(1, 4).side == (1, 1)
    assert LatentSize(5, 8).side == (2, 2)


def test_the_least_bits_are_those_of_the_widest_slot(weights: Weights) -> None:
    tables = weights.tables
    expected = [16 - np.log2(max(np.diff(row))) for row in tables.rows_as_lists]
    assert np.allclose(tables.least_bits, expected, rtol=0, atol=1e-12)
    assert tables.least_bits.min() > 0


def claim(weights: Weights, height: int, width: int, payload: int) -> SymbolStream:
    return SymbolStream(bytes(payload), (), 0, LatentSize(height, width).symbols(weights.model.row.entropy))


@pytest.mark.parametrize(("height", "width"), [(100, 100), (512, 512), (2**27, 2**27)])
def test_a_few_bytes_that_claim_a_huge_picture_are_refused_at_once(weights: Weights, height: int, width: int) -> None:
    size = LatentSize(height, width)
    coded = claim(weights, height, width, 200)
    tracemalloc.start()
    with pytest.raises(PayloadSizeError, match="200 bytes cannot hold"):
        weights.coder.decode([coded], LEVELS[:1], size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_the_reader_alone_refuses_more_symbols_than_the_payload_can_hold(weights: Weights) -> None:
    symbols = int(8 * 64 / weights.tables.least_bits.min())
    SymbolReader(weights.tables, bytes(64), (), symbols)
    with pytest.raises(PayloadSizeError, match="cannot hold"):
        SymbolReader(weights.tables, bytes(64), (), int(1.02 * symbols))


def test_the_cheapest_stream_there_is_passes_and_fills_its_bound() -> None:
    tables = load(MODEL).tables
    sigma = np.full(2_000_000, 0.11)
    writer = SymbolWriter(tables)
    write_scaled(writer, tables, np.zeros(sigma.size, np.int64), sigma)
    coded = writer.finish()
    least = sigma.size * tables.least_bits.min()
    check_capacity(len(coded.payload), least)
    reader = SymbolReader(tables, coded.payload, coded.exceptions, coded.count)
    assert not read_scaled(reader, tables, sigma).any()
    reader.finish(coded.symbol_crc)
    assert least > 0.9 * 8 * (len(coded.payload) - STATE_BYTES)


@pytest.mark.parametrize("level", [0, 5000, 10_000])
def test_every_picture_costs_more_than_the_least(weights: Weights, level: int) -> None:
    row, levels = weights.model.row.entropy, torch.tensor([level])
    y = torch.zeros(1, row.latent, 60, 60)
    (coded,) = streams(weights, y, levels)
    assert least_bits(row, weights.tables, level, LatentSize(60, 60)) < 8 * len(coded.payload)


def test_a_payload_of_one_picture_is_not_enough_for_one_of_many_times_its_size(weights: Weights) -> None:
    y = latent(weights, 4, 4, 1)
    (coded,) = streams(weights, y, LEVELS[:1])
    size = LatentSize(400, 400)
    stretched = replace(coded, count=size.symbols(weights.model.row.entropy))
    with pytest.raises(PayloadSizeError, match="cannot hold"):
        weights.coder.decode([stretched], LEVELS[:1], size)
