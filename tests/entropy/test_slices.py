"""The walk over slices and halves: who sees whom, and in which units."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from s2lic.entropy.checkerboard import Checkerboard, take
from s2lic.entropy.likelihood import SIGMA_MIN
from s2lic.entropy.quality import Quality
from s2lic.entropy.slices import INPUT_SCALE, EntropyParameters, ResidualPrediction, Slice, SliceWalk
from s2lic.model import CONFIGS
from tests.references.walks import Record, decoder
from tests.references.weights import shaken

SLICES = (2, 3, 4)
M = sum(SLICES)
FIRST = [0, 2, 5]
ROW = replace(CONFIGS["tiny"].entropy, latent=M, slices=SLICES, hidden=12, local=3)
HEIGHT, WIDTH = 6, 7
HALVES = range(2 * len(SLICES))
QUALITY = Quality.of(torch.tensor([1234, 8000]), ROW.anchors)


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def fresh() -> SliceWalk:
    torch.manual_seed(0)
    return SliceWalk(ROW).double()


@pytest.fixture(scope="module")
def walk() -> SliceWalk:
    return shaken(fresh(), 0.2)


def symbols(height: int = HEIGHT, width: int = WIDTH) -> list[Tensor]:
    board = Checkerboard.of(height, width, torch.device("cpu"))
    sizes = [(len(half), c) for c in SLICES for half in (board.anchors, board.others)]
    return [(3 * draw(2, *size, seed=i)).round() for i, size in enumerate(sizes)]


GAIN = draw(2, M, 1, 1, seed=50).exp()


@torch.no_grad()
def replay(walk: SliceWalk, q: list[Tensor], hyper: Tensor | None = None, gain: Tensor = GAIN) -> tuple[Tensor, Record]:
    hyper = draw(2, 2 * M, HEIGHT, WIDTH, seed=99) if hyper is None else hyper
    quantise, record = decoder(q)
    return walk(hyper, QUALITY, gain, quantise), record


def changed(a: Record, b: Record, half: int) -> tuple[bool, bool]:
    return (
        not torch.equal(a.mu[half], b.mu[half]),
        not torch.equal(a.sigma[half], b.sigma[half]),
    )


def nudged(q: list[Tensor], half: int, square: int = 3, channel: int = 1) -> list[Tensor]:
    moved = [t.clone() for t in q]
    moved[half][:, square, channel] += 2
    return moved


@torch.no_grad()
def uncorrected(record: Record, index: int) -> Tensor:
    """The map of slice `index` before its residual prediction."""
    board = Checkerboard.of(HEIGHT, WIDTH, torch.device("cpu"))
    halves = ((record.mu[i] + record.symbols[i]).transpose(1, 2) for i in (2 * index, 2 * index + 1))
    return board.to_map(*halves)


def test_slices_are_asked_for_in_order_anchors_first(walk: SliceWalk) -> None:
    _, record = replay(walk, symbols())
    board = Checkerboard.of(HEIGHT, WIDTH, torch.device("cpu"))
    assert record.first == [f for f in FIRST for _ in range(2)]
    for half in HALVES:
        assert torch.equal(record.at[half], (board.anchors, board.others)[half % 2])
        shape = (2, len(record.at[half]), SLICES[half // 2])
        assert record.mu[half].shape == record.sigma[half].shape == shape


@pytest.mark.parametrize("half", HALVES)
def test_a_symbol_changes_the_distributions_of_all_later_halves_and_of_no_other(walk: SliceWalk, half: int) -> None:
    _, before = replay(walk, symbols())
    _, after = replay(walk, nudged(symbols(), half))
    for other in HALVES:
        assert changed(before, after, other) == ((other > half,) * 2)


@pytest.mark.parametrize("index", range(len(SLICES)))
def test_an_anchor_changes_mu_and_sigma_of_the_others_of_its_slice_around_it(walk: SliceWalk, index: int) -> None:
    square = 10
    _, before = replay(walk, symbols())
    _, after = replay(walk, nudged(symbols(), 2 * index, square, 0))
    row, col = divmod(int(before.at[0][square]), WIDTH)
    at = before.at[1]
    near = ((at // WIDTH - row).abs() <= 2) & ((at % WIDTH - col).abs() <= 2)
    for kind in ("mu", "sigma"):
        a, b = (getattr(r, kind)[2 * index + 1] for r in (before, after))
        assert torch.equal((a != b).any(2).all(0), near)
    assert near.any()
    assert not near.all()


@pytest.mark.parametrize("index", range(len(SLICES)))
def test_a_non_anchor_never_changes_an_anchor_of_its_slice(walk: SliceWalk, index: int) -> None:
    _, before = replay(walk, symbols())
    moved = symbols()
    moved[2 * index + 1] += 5
    _, after = replay(walk, moved)
    assert changed(before, after, 2 * index) == (False, False)


def test_later_slices_see_earlier_ones_corrected_and_without_their_gain(walk: SliceWalk) -> None:
    seen: list[Tensor] = []
    hook = walk.slices[2].acgc.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    y_hat, record = replay(walk, symbols())
    hook.remove()
    expected = 0.1 * y_hat[:, :5] / GAIN[:, :5]
    torch.testing.assert_close(seen[0], expected, rtol=0, atol=1e-12)
    assert (y_hat[:, :2] - uncorrected(record, 0)).abs().max() > 0.01


def test_the_local_context_sees_the_anchors_uncorrected_and_nothing_else(walk: SliceWalk) -> None:
    seen: list[Tensor] = []
    hook = walk.slices[1].local.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    _, record = replay(walk, symbols())
    hook.remove()
    at = Checkerboard.of(HEIGHT, WIDTH, torch.device("cpu")).anchors
    expected = take((uncorrected(record, 1) / GAIN[:, 2:5] * 0.1).flatten(2), at)
    torch.testing.assert_close(seen[0], expected, rtol=0, atol=1e-12)


def test_the_correction_stays_within_half_a_step_and_is_not_zero(walk: SliceWalk) -> None:
    y_hat, record = replay(walk, [30 * q for q in symbols()])
    raw = torch.cat([uncorrected(record, i) for i in range(len(SLICES))], 1)
    correction = (y_hat - raw).abs()
    assert correction.max() <= 0.5 + 1e-12
    assert correction.amax((0, 2, 3)).min() > 0.05


def test_the_correction_starts_at_zero() -> None:
    y_hat, record = replay(fresh(), symbols())
    raw = torch.cat([uncorrected(record, i) for i in range(len(SLICES))], 1)
    assert torch.equal(y_hat, raw)


@pytest.mark.parametrize("index", range(len(SLICES)))
@torch.no_grad()
def test_a_correction_sees_the_hyper_mean_the_slices_before_and_its_own(walk: SliceWalk, index: int) -> None:
    first, count, net = FIRST[index], SLICES[index], walk.slices[index].lrp
    hyper = draw(2, 2 * M, HEIGHT, WIDTH, seed=99)
    y_hat, record = replay(walk, symbols(), hyper)
    own = uncorrected(record, index)
    part = slice(first, first + count)
    seen = torch.cat(
        [
            hyper[:, 2 * first : 2 * first + count],
            INPUT_SCALE * y_hat[:, :first] / GAIN[:, :first],
            INPUT_SCALE * own / GAIN[:, part],
        ],
        dim=1,
    )
    hidden = F.gelu(F.conv2d(seen, net.fc1.weight, net.fc1.bias))
    expected = own + 0.5 * torch.tanh(F.conv2d(hidden, net.fc2.weight, net.fc2.bias, padding=1))
    torch.testing.assert_close(y_hat[:, part], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("index", range(len(SLICES)))
@torch.no_grad()
def test_distributions_are_g_ep_of_hyper_context_and_local_context(walk: SliceWalk, index: int) -> None:
    first, count, step = FIRST[index], SLICES[index], walk.slices[index]
    hyper = draw(2, 2 * M, HEIGHT, WIDTH, seed=99)
    y_hat, record = replay(walk, symbols(), hyper)
    known = hyper[:, 2 * first : 2 * (first + count)]
    if index:
        before = INPUT_SCALE * y_hat[:, :first] / GAIN[:, :first]
        known = torch.cat([known, step.acgc(before)], dim=1)
    board = Checkerboard.of(HEIGHT, WIDTH, torch.device("cpu"))
    anchors = (record.mu[2 * index] + record.symbols[2 * index]).transpose(1, 2)
    gain = GAIN[:, first : first + count, :, 0]
    local = step.local(anchors / gain * INPUT_SCALE, board)
    blank = torch.zeros(2, local.shape[1], len(board.anchors), dtype=local.dtype)
    for half, context in enumerate((blank, local)):
        features = torch.cat([take(known.flatten(2), (board.anchors, board.others)[half]), context], dim=1)
        mean, log_scale = step.parameters_net(features, QUALITY)
        mu, sigma = mean * gain, (log_scale.exp() * gain).clamp(min=SIGMA_MIN)
        torch.testing.assert_close(record.mu[2 * index + half].transpose(1, 2), mu, rtol=0, atol=1e-10)
        torch.testing.assert_close(record.sigma[2 * index + half].transpose(1, 2), sigma, rtol=0, atol=1e-10)


def test_without_corrections_twice_the_gain_and_the_symbols_give_twice_mu_and_sigma() -> None:
    walk = shaken(fresh(), 0.2)
    with torch.no_grad():
        for step in walk.slices:
            step.lrp.fc2.weight.zero_()
            step.lrp.fc2.bias.zero_()
    y_hat, once = replay(walk, symbols())
    doubled, twice = replay(walk, [2 * q for q in symbols()], gain=2 * GAIN)
    assert torch.equal(doubled, 2 * y_hat)
    for half in HALVES:
        assert torch.equal(twice.mu[half], 2 * once.mu[half])
        above = once.sigma[half] > SIGMA_MIN
        assert above.any()
        assert torch.equal(twice.sigma[half][above], 2 * once.sigma[half][above])


@pytest.mark.parametrize("index", range(len(SLICES)))
def test_each_slice_reads_its_own_block_of_the_hyper_features(walk: SliceWalk, index: int) -> None:
    hyper = draw(2, 2 * M, HEIGHT, WIDTH, seed=99)
    moved = hyper.clone()
    moved[:, 2 * FIRST[index]] += 1
    _, before = replay(walk, symbols(), hyper)
    _, after = replay(walk, symbols(), moved)
    for half in HALVES:
        assert changed(before, after, half) == ((half >= 2 * index,) * 2)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5), (4, 1), (17, 3)])
def test_maps_of_any_size_are_walked(walk: SliceWalk, height: int, width: int) -> None:
    hyper = draw(2, 2 * M, height, width)
    y_hat, record = replay(walk, symbols(height, width), hyper)
    assert y_hat.shape == (2, M, height, width)
    assert y_hat.isfinite().all()
    assert sum(mu.numel() for mu in record.mu) == y_hat.numel()
    assert all((sigma >= SIGMA_MIN).all() for sigma in record.sigma)


def test_a_picture_does_not_feel_its_neighbours_in_the_batch(walk: SliceWalk) -> None:
    hyper = draw(2, 2 * M, HEIGHT, WIDTH, seed=99)
    _, both = replay(walk, symbols(), hyper)
    _, moved = replay(walk, [q * torch.tensor([1, -1])[:, None, None] for q in symbols()], hyper)
    for half in HALVES:
        torch.testing.assert_close(both.mu[half][0], moved.mu[half][0], rtol=0, atol=1e-12)
        assert half == 0 or not torch.allclose(both.mu[half][1], moved.mu[half][1])


def test_the_first_slice_has_no_context_net_and_every_other_one_has() -> None:
    steps = list(fresh().slices)
    assert [step.acgc is None for step in steps] == [True, False, False]
    sources = [step.acgc.local.conv1.in_channels for step in steps[1:]]
    assert sources == list(accumulate(SLICES))[:-1]


@torch.no_grad()
def test_g_ep_is_two_layers_with_the_quality_between() -> None:
    net = shaken(EntropyParameters(5, 6, 3, ROW.anchors).double(), 0.3)
    x, top = draw(1, 5, 4), ROW.anchors - 1
    mean, log_scale = net(x, Quality.of(torch.tensor([10_000]), ROW.anchors))
    scale, shift = net.modulate.table[top]
    hidden = F.gelu((x[0].T @ net.fc1.weight.T + net.fc1.bias) * (1 + scale) + shift)
    expected = hidden @ net.fc2.weight.T + net.fc2.bias
    torch.testing.assert_close(torch.cat([mean, log_scale], 1)[0].T, expected, rtol=0, atol=1e-12)


@torch.no_grad()
def test_mean_and_scale_are_float32_under_bf16() -> None:
    net = Slice(ROW, 2, 3)
    known, local = draw(2, 9, 4).float(), draw(2, 3, 4).float()
    with torch.autocast("cpu", torch.bfloat16):
        raw = net.parameters_net(torch.cat([known, local], dim=1), QUALITY)
        mu, sigma = net.distribution(known, local, QUALITY, torch.ones(2, 3, 1))
    assert {t.dtype for t in (*raw, mu, sigma)} == {torch.float32}


@torch.no_grad()
def test_a_residual_prediction_never_exceeds_one_half() -> None:
    net = shaken(ResidualPrediction(3, 4, 2).double(), 5.0)
    out = net(100 * draw(1, 3, 5, 5)).abs()
    assert 0.49 < out.max() <= 0.5
