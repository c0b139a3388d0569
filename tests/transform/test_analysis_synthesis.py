"""g_a and g_s: sizes, the start as a linear path, and what stays float32."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from s2lic.model import CONFIGS
from s2lic.transform.analysis import Analysis
from s2lic.transform.row import TransformRow
from s2lic.transform.synthesis import Synthesis
from tests.references.weights import shaken

SIZES = [(16, 16), (16, 48), (80, 112)]
TINY = CONFIGS["tiny"].transform
FULL_RESOLUTION = replace(TINY, dense_unshuffle=1)  # the dense blocks of `base`


def draw(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) - 0.5


def bf16() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def started(row: TransformRow) -> tuple[Analysis, Synthesis]:
    torch.manual_seed(0)
    return Analysis(row).eval(), Synthesis(row).eval()


@pytest.fixture(scope="module", params=["tiny", "nano", "full resolution"])
def nets(request: pytest.FixtureRequest) -> tuple[Analysis, Synthesis]:
    full = request.param == "full resolution"
    g_a, g_s = started(FULL_RESOLUTION if full else CONFIGS[request.param].transform)
    return shaken(g_a, 0.02), shaken(g_s, 0.02)


@pytest.mark.parametrize(("height", "width"), SIZES)
@torch.no_grad()
def test_y_has_stride_16_and_the_picture_comes_back_in_its_size(
    nets: tuple[Analysis, Synthesis], height: int, width: int
) -> None:
    g_a, g_s = nets
    y = g_a(draw(2, 3, height, width))
    assert y.shape == (2, g_a.last.out_channels, height // 16, width // 16)
    assert g_s(y).shape == (2, 3, height, width)


@torch.no_grad()
def test_y_and_the_picture_stay_float32_under_bf16(nets: tuple[Analysis, Synthesis]) -> None:
    g_a, g_s = nets
    with bf16():
        y = g_a(draw(1, 3, 32, 48))
        picture = g_s(y)
        trained = g_s.train()(y)
        g_s.eval()
    assert (y.dtype, picture.dtype, trained.dtype) == (torch.float32,) * 3


def linear(g_s: Synthesis, y: Tensor) -> Tensor:
    """The picture of the linear path, to the bit as g_s adds it."""
    return F.pixel_shuffle(g_s.linear(y, g_s.unshuffle), g_s.unshuffle)


@pytest.mark.parametrize("row", [TINY, FULL_RESOLUTION], ids=["tiny", "full resolution"])
@torch.no_grad()
def test_the_nonlinear_branches_start_at_zero(row: TransformRow) -> None:
    g_a, g_s = started(row)
    x = draw(1, 3, 32, 48)
    assert torch.equal(g_a(x), g_a.linear(x))
    y = 100 * draw(1, row.latent, 2, 3)
    assert torch.equal(g_s(y), linear(g_s, y))


@torch.no_grad()
def test_bf16_leaves_the_linear_path_as_it_is() -> None:
    g_a, g_s = started(TINY)
    x, y = draw(1, 3, 32, 48), 100 * draw(1, TINY.latent, 2, 3)
    with bf16():
        coarse = g_a(x), g_s(y)
    assert torch.equal(coarse[0], g_a.linear(x))
    assert torch.equal(coarse[1], linear(g_s, y))


@torch.no_grad()
def test_outside_training_the_dense_block_of_g_s_runs_in_float32() -> None:
    _, g_s = started(TINY)
    shaken(g_s.dense, 0.2)
    y = 100 * draw(1, TINY.latent, 2, 3)
    exact = g_s(y)
    with bf16():
        assert torch.equal(g_s(y), exact)
        assert not torch.equal(g_s.train()(y), exact)


@torch.no_grad()
def test_y_is_the_chain_of_stages_plus_the_linear_path(nets: tuple[Analysis, Synthesis]) -> None:
    g_a, _ = nets
    x = draw(1, 3, 32, 48)
    features = g_a.dense(F.pixel_unshuffle(x, g_a.unshuffle))
    for stage, stride in enumerate((2, 4, 8)):
        features = g_a.groups[stage](g_a.down[stage](features))
        assert features.shape[2:] == (32 // stride, 48 // stride)
    expected = g_a.last(features) + g_a.linear(x)
    torch.testing.assert_close(g_a(x), expected, rtol=0, atol=1e-5)
    assert g_a.last(features).abs().max() > 1e-3


@torch.no_grad()
def test_the_picture_is_the_mirrored_chain_of_a_tenth_of_y_plus_the_linear_path(
    nets: tuple[Analysis, Synthesis],
) -> None:
    _, g_s = nets
    y = 100 * draw(1, g_s.linear.conv.in_channels, 2, 3)
    features = 0.1 * y
    for stage, stride in enumerate((8, 4, 2)):
        features = g_s.groups[stage](g_s.up[stage](features))
        assert features.shape[2:] == (32 // stride, 48 // stride)
    pixels = g_s.last(features) + F.pixel_unshuffle(g_s.linear(y), g_s.unshuffle)
    expected = F.pixel_shuffle(g_s.dense(pixels), g_s.unshuffle)
    torch.testing.assert_close(g_s(y), expected, rtol=1e-5, atol=1e-4)
    assert g_s.last(features).abs().max() > 1e-2


@torch.no_grad()
def test_a_picture_does_not_feel_its_neighbours_in_the_batch() -> None:
    g_a, g_s = (shaken(net.double(), 0.05) for net in started(TINY))
    x = draw(3, 3, 48, 32).double()
    y = g_a(x)
    torch.testing.assert_close(g_a(x[1:2])[0], y[1], rtol=0, atol=1e-10)
    torch.testing.assert_close(g_s(y[1:2])[0], g_s(y)[1], rtol=0, atol=1e-10)


def test_the_first_layers_are_the_published_5x5_only_where_pixels_are_not_unshuffled() -> None:
    assert Analysis(TINY).down[0].kernel_size == (3, 3)
    assert Analysis(TINY).down[0].in_channels == 12
    first = Analysis(FULL_RESOLUTION).down[0]
    assert (first.kernel_size, first.stride, first.in_channels) == ((5, 5), (2, 2), 3)


@pytest.mark.parametrize("row", [TINY, FULL_RESOLUTION], ids=["tiny", "full resolution"])
def test_gradients_reach_every_weight_once_the_zero_layers_have_moved(row: TransformRow) -> None:
    g_a, g_s = (shaken(net, 0.05) for net in started(row))
    g_s(g_a(draw(1, 3, 144, 144))).pow(2).sum().backward()
    for net in (g_a, g_s):
        missed = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
        assert missed == []
