"""g_a and g_s: sizes, the start as a linear path, and what stays float32."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
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


@pytest.mark.parametrize("row", [TINY, FULL_RESOLUTION], ids=["tiny", "full resolution"])
@torch.no_grad()
def test_the_nonlinear_branches_start_at_zero(row: TransformRow) -> None:
    g_a, g_s = started(row)
    x = draw(1, 3, 32, 48)
    assert torch.equal(g_a(x), g_a.linear(x))
    y = 100 * draw(1, row.latent, 2, 3)
    torch.testing.assert_close(g_s(y), g_s.linear(y), rtol=0, atol=0)


@torch.no_grad()
def test_bf16_leaves_the_linear_path_as_it_is() -> None:
    g_a, g_s = started(TINY)
    x, y = draw(1, 3, 32, 48), 100 * draw(1, TINY.latent, 2, 3)
    with bf16():
        coarse = g_a(x), g_s(y)
    assert torch.equal(coarse[0], g_a.linear(x))
    assert torch.equal(coarse[1], g_s.linear(y))


@torch.no_grad()
def test_outside_training_the_dense_block_of_g_s_runs_in_float32() -> None:
    _, g_s = started(TINY)
    shaken(g_s.dense, 0.2)
    y = 100 * draw(1, TINY.latent, 2, 3)
    exact = g_s(y)
    with bf16():
        assert torch.equal(g_s(y), exact)
        assert not torch.equal(g_s.train()(y), exact)


@pytest.mark.parametrize("name", ["tiny", "small", "base"])
@torch.no_grad()
def test_the_branches_add_up(name: str) -> None:
    """Doubling what the last layer gives doubles what the branch adds to the linear path."""
    row = replace(CONFIGS[name].transform, latent=8)
    g_a = shaken(Analysis(row), 0.02)
    x = draw(1, 3, 16, 16)
    once = g_a(x) - g_a.linear(x)
    g_a.last.weight.mul_(2)
    g_a.last.bias.mul_(2)
    assert once.abs().max() > 1e-3
    torch.testing.assert_close(g_a(x) - g_a.linear(x), 2 * once, rtol=1e-3, atol=1e-4)


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
