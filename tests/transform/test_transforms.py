"""g_a and g_s: sizes, the start as a linear path, and what stays float32."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from s2lic.model import CONFIGS
from s2lic.transform.config import TransformRow
from s2lic.transform.transforms import (
    OUTPUT_SCALE,
    PATCH,
    Analysis,
    DenseBlock,
    LinearAnalysis,
    LinearSynthesis,
    Synthesis,
    principal_components,
)
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
def test_bf16_rounds_only_what_the_dense_block_adds() -> None:
    _, g_s = started(TINY)
    shaken(g_s.dense, 0.2)
    y = 100 * draw(1, TINY.latent, 2, 3)
    exact, added = g_s(y), g_s(y) - linear(g_s, y)
    with bf16():
        error = (g_s(y) - exact).abs().max()
    assert 0 < error < 2**-5 * added.abs().max()


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


def dense_draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@torch.no_grad()
def test_each_convolution_is_fed_by_all_before_it_and_the_fifth_adds_to_the_input() -> None:
    net, x = shaken(DenseBlock(5, 3).double()), dense_draw(2, 5, 7, 9)
    features = [x]
    for conv in net.convs:
        z = F.conv2d(torch.cat(features, 1), conv.weight, conv.bias, padding=1)
        features.append(z.clamp(min=0) + 0.2 * z.clamp(max=0))
    expected = x + F.conv2d(torch.cat(features, 1), net.out.weight, net.out.bias, padding=1)
    assert len(features) == 5
    torch.testing.assert_close(net(x), expected, rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_fresh_block_is_the_identity() -> None:
    x = dense_draw(1, 6, 4, 5).float()
    assert torch.equal(DenseBlock(6, 4)(x), x)


def test_the_parameters_are_those_of_five_3x3_convolutions() -> None:
    dim, growth = 7, 4
    convs = sum((9 * (dim + i * growth) + 1) * growth for i in range(4))
    last = (9 * (dim + 4 * growth) + 1) * dim
    assert sum(p.numel() for p in DenseBlock(dim, growth).parameters()) == convs + last


def shortcut_draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def basis() -> Tensor:
    """768 orthonormal rows."""
    return torch.linalg.qr(shortcut_draw(PATCH, PATCH)).Q


def pair(directions: Tensor, step: float) -> tuple[LinearAnalysis, LinearSynthesis]:
    """y = directions x / step, and its transpose back."""
    there, back = (
        LinearAnalysis(len(directions)).double(),
        LinearSynthesis(len(directions)).double(),
    )
    with torch.no_grad():
        there.conv.weight.copy_((directions / step)[:, :, None, None])
        back.conv.weight.copy_((directions.T * step / OUTPUT_SCALE)[:, :, None, None])
    return there, back


@torch.no_grad()
def test_all_768_directions_bring_the_picture_back() -> None:
    there, back = pair(basis(), 0.3)
    x = shortcut_draw(2, 3, 32, 48, seed=1)
    assert there(x).shape == (2, PATCH, 2, 3)
    torch.testing.assert_close(back(there(x)), x, rtol=0, atol=1e-10)


@torch.no_grad()
def test_fewer_directions_project_on_what_they_span() -> None:
    there, back = pair(basis()[:20], 0.3)
    x = shortcut_draw(1, 3, 16, 32, seed=1)
    once = back(there(x))
    torch.testing.assert_close(back(there(once)), once, rtol=0, atol=1e-10)
    torch.testing.assert_close((x * once).sum(), once.pow(2).sum(), rtol=1e-10, atol=0)
    assert once.pow(2).sum() < 0.1 * x.pow(2).sum()


@torch.no_grad()
@pytest.mark.parametrize("unshuffle", [1, 2, 4])
def test_the_picture_comes_unshuffled_if_asked(unshuffle: int) -> None:
    net, y = LinearSynthesis(5).double(), shortcut_draw(2, 5, 2, 3)
    torch.testing.assert_close(net(y, unshuffle), F.pixel_unshuffle(net(y), unshuffle), rtol=0, atol=1e-12)


@torch.no_grad()
def test_each_latent_sees_its_own_patch_only() -> None:
    net, x = LinearAnalysis(4).double(), shortcut_draw(1, 3, 32, 32)
    moved = x.clone()
    moved[:, :, 16:, :16] += 1
    change = (net(moved) != net(x)).any(1)[0]
    assert change.tolist() == [[False, False], [True, False]]


def test_principal_components_are_orthonormal_and_sorted_by_deviation() -> None:
    true, spread = torch.linalg.qr(shortcut_draw(40, 40)).Q, torch.linspace(3, 0.1, 40).double()
    patches = shortcut_draw(5000, 40, seed=2) * spread @ true
    directions, deviation = principal_components(patches, 6)
    measured = (patches @ directions.double().T).pow(2).mean(0).sqrt()
    eye = torch.eye(6, dtype=torch.float64)
    gram = directions.double() @ directions.double().T
    torch.testing.assert_close(gram, eye, rtol=0, atol=1e-5)
    torch.testing.assert_close(deviation.double(), measured, rtol=1e-5, atol=0)
    assert (deviation.diff() <= 0).all()


def test_the_components_hold_the_directions_that_patches_were_made_of() -> None:
    true = torch.linalg.qr(shortcut_draw(40, 40)).Q[:3]
    patches = shortcut_draw(500, 3, seed=3) * torch.tensor([5.0, 2.0, 1.0]) @ true
    directions, deviation = principal_components(patches, 5)
    kept = patches @ directions[:3].double().T @ directions[:3].double()
    torch.testing.assert_close(kept, patches, rtol=0, atol=1e-5)
    assert deviation[3:].max() < 1e-6
    assert not deviation.isnan().any()
