"""A latent to coded symbols and back, and what a few bytes may claim."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from s2lic.entropy.latent_coder import LatentSize, decode_latent, encode_and_decode, least_bits, whole
from s2lic.entropy.model import EntropyModel
from s2lic.entropy.slices import Slice
from s2lic.entropy.symbol_coder import Coded, SymbolReader, SymbolWriter, check_capacity
from s2lic.errors import ArithmeticFaultError, PayloadSizeError
from s2lic.weights.store import Weights, load
from tests.frozen import MODEL
from tests.references.walks import encoder
from tests.scaled import read_scaled, write_scaled

LEVELS = torch.tensor([1200, 8000])


@pytest.fixture(scope="module")
def weights() -> Weights:
    return load(MODEL)


def latent(weights: Weights, height: int, width: int, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(height * width)
    return 3 * torch.randn(count, weights.model.row.entropy.latent, height, width, generator=generator)


def streams(weights: Weights, y: Tensor, levels: Tensor = LEVELS) -> list[Coded]:
    return encode_and_decode(weights.model.entropy, weights.tables, y, levels)[0]


@torch.no_grad()
def reconstruction(weights: Weights, y: Tensor, levels: Tensor) -> Tensor:
    """What the encoder itself believes that the decoder will see."""
    net = weights.model.entropy
    quality = net.quality(levels)
    resting = net.resting(quality)
    z_hat = torch.round(net.hyper_analysis(y.double(), quality) - resting) + resting
    quantise, _ = encoder(y.double() * net.gains(quality)[0])
    return net.reconstruct(z_hat, quality, (y.shape[2], y.shape[3]), quantise)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 2), (2, 1), (3, 5), (4, 4), (9, 17)])
def test_the_decoder_finds_the_latent_that_the_encoder_sees(weights: Weights, height: int, width: int) -> None:
    y = latent(weights, height, width)
    coded = streams(weights, y)
    y_hat = decode_latent(weights.model.entropy, weights.tables, coded, LEVELS, LatentSize(height, width))
    assert y_hat.dtype == torch.float64
    assert (y_hat - reconstruction(weights, y, LEVELS)).abs().max() <= 1e-9
    assert [c.count for c in coded] == [LatentSize(height, width).symbols(weights.model.row.entropy)] * 2


def test_z_counts_from_where_its_channels_rest() -> None:
    weights = load(MODEL)
    coded = []
    for _ in range(2):
        y = latent(weights, 3, 5)
        coded.append(streams(weights, y))
        y_hat = decode_latent(weights.model.entropy, weights.tables, coded[-1], LEVELS, LatentSize(3, 5))
        assert (y_hat - reconstruction(weights, y, LEVELS)).abs().max() <= 1e-9
        weights.model.entropy.z_centre.add_(3.25)
    assert coded[0] != coded[1]


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


def endless_inverse_gains(entropy: EntropyModel) -> None:
    entropy.gains.log_inverse.fill_(1e3)  # whose exponential is beyond float64


def no_mean_in_the_last_slice(entropy: EntropyModel) -> None:
    last = entropy.walk.slices[-1]
    assert isinstance(last, Slice)
    last.parameters_net.fc2.bias[: last.channels] = math.nan


@pytest.mark.parametrize("spoil", [endless_inverse_gains, no_mean_in_the_last_slice])
def test_a_mean_that_is_not_finite_is_an_arithmetic_fault(spoil: Callable[[EntropyModel], None]) -> None:
    weights = load(MODEL)
    # One place, so that no scale depends on the mean of another.
    coded = streams(weights, latent(weights, 1, 1))
    spoil(weights.model.entropy)
    with pytest.raises(ArithmeticFaultError, match="a mean that is not a finite number"):
        decode_latent(weights.model.entropy, weights.tables, coded, LEVELS, LatentSize(1, 1))


def test_what_is_no_number_stays_out_of_range_as_an_integer() -> None:
    values = torch.tensor([float("nan"), float("inf"), float("-inf"), 1e300, -3.0], dtype=torch.float64)
    far = 2**40
    assert whole(values).tolist() == [far, far, -far, far, -3]


def test_the_side_information_covers_the_latent() -> None:
    assert LatentSize(1, 4).side == (1, 1)
    assert LatentSize(5, 8).side == (2, 2)


def test_the_least_bits_are_those_of_the_widest_slot(weights: Weights) -> None:
    tables = weights.tables
    expected = [16 - np.log2(max(np.diff(row))) for row in tables.rows_as_lists]
    assert np.allclose(tables.least_bits, expected, rtol=0, atol=1e-12)
    assert tables.least_bits.min() > 0


def claim(weights: Weights, height: int, width: int, payload: int) -> Coded:
    return Coded(bytes(payload), (), 0, LatentSize(height, width).symbols(weights.model.row.entropy))


@pytest.mark.parametrize(("height", "width"), [(100, 100), (512, 512), (2**27, 2**27)])
def test_a_few_bytes_that_claim_a_huge_picture_are_refused_at_once(weights: Weights, height: int, width: int) -> None:
    entropy, size = weights.model.entropy, LatentSize(height, width)
    coded = claim(weights, height, width, 200)
    tracemalloc.start()
    with pytest.raises(PayloadSizeError, match="200 bytes cannot hold"):
        decode_latent(entropy, weights.tables, [coded], LEVELS[:1], size)
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
    assert least > 0.9 * 8 * len(coded.payload)


@pytest.mark.parametrize("level", [0, 5000, 10_000])
def test_every_picture_costs_more_than_the_least(weights: Weights, level: int) -> None:
    row, levels = weights.model.row.entropy, torch.tensor([level])
    y = torch.zeros(1, row.latent, 60, 60)
    (coded,) = streams(weights, y, levels)
    (least,) = least_bits(row, weights.tables, weights.model.entropy.quality(levels), LatentSize(60, 60))
    assert least < 8 * len(coded.payload)


def test_a_payload_of_one_picture_is_not_enough_for_one_of_many_times_its_size(weights: Weights) -> None:
    y = latent(weights, 4, 4, 1)
    (coded,) = streams(weights, y, LEVELS[:1])
    size = LatentSize(400, 400)
    stretched = replace(coded, count=size.symbols(weights.model.row.entropy))
    with pytest.raises(PayloadSizeError, match="cannot hold"):
        decode_latent(weights.model.entropy, weights.tables, [stretched], LEVELS[:1], size)
