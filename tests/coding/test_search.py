"""The encoder's search for a y that costs less."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

import s2lic.pillow_plugin
from s2lic.codec import Codec
from s2lic.coding.distortion import MIXES, MS_SSIM_SIDE, distortion
from s2lic.coding.networks import to_tensor
from s2lic.coding.search import (
    EXTRA,
    MSE_STEPS,
    REACH,
    VISUAL_STEPS,
    LatentSearch,
    RDProblem,
    TileView,
    border_weight,
    distortion_weight,
    search_problem,
)
from s2lic.coding.tiling import encoder_input
from s2lic.container.tiles import Layout
from s2lic.entropy.quality import quality_lambda
from s2lic.entropy.rounding import QuantTarget
from s2lic.errors import UsageError
from s2lic.weights.store import Weights, load
from tests.frozen import MODEL, codec, picture

LEVELS = torch.tensor([5000])
CHANNELS = 16


def cost(data: bytes, image: Image.Image, quality: float, coder: Codec, finer: float = 1.0) -> float:
    """Bits a pixel and lambda times the squared error, from the file; the left half has its steps so much finer."""
    error = (np.asarray(coder.decode(data), float) - np.asarray(image, float)) ** 2
    error[:, : image.width // 2] *= finer**2
    rate = 8 * len(data) / (image.width * image.height)
    return rate + float(quality_lambda(torch.tensor([quality * 100])) * error.mean())


@pytest.mark.parametrize("quality", [10, 50, 90])
def test_a_searched_file_costs_less_than_a_plain_one(quality: float) -> None:
    image = picture("portrait")
    plain, searched = (codec().encode(image, quality, effort=effort) for effort in (0, 3))
    assert cost(searched, image, quality, codec()) < 0.995 * cost(plain, image, quality, codec())


def test_a_picture_in_tiles_is_searched_when_asked_and_not_by_itself() -> None:
    image, coder = picture("portrait", size=(520, 300)), Codec(MODEL, tile=256)
    plain, searched = (coder.encode(image, 60, effort=effort) for effort in (0, 3))
    assert coder.encode(image, 60) == plain
    assert cost(searched, image, 60, coder) < 0.995 * cost(plain, image, 60, coder)


def test_a_searched_picture_with_a_map_costs_less_too() -> None:
    image, mask = picture("portrait", size=(256, 192)), Image.new("L", (256, 192), 128)
    mask.paste(255, (0, 0, 128, 192))
    plain, searched = (codec().encode(image, 40, roi=mask, effort=effort) for effort in (0, 3))
    finer = 2 ** (3 / 4)
    assert cost(searched, image, 40, codec(), finer) < 0.995 * cost(plain, image, 40, codec(), finer)


def test_searching_twice_gives_the_same_file() -> None:
    image = picture("portrait", size=(70, 50))
    assert codec().encode(image, 30, effort=2) == Codec(MODEL, precision="float32").encode(image, 30, effort=2)
    assert codec().encode_many([image, image], 30, effort=2) == 2 * [codec().encode(image, 30, effort=2)]


def linear_problem(weights: Weights, scale: Tensor) -> tuple[RDProblem, Tensor]:
    """g_s as an orthonormal transform, each channel times a scale, and a y that it decodes to x exactly."""
    basis, _ = torch.linalg.qr(torch.randn(768, CHANNELS, generator=torch.Generator().manual_seed(3)))
    kernel = (basis.T * scale[:, None]).reshape(CHANNELS, 3, 16, 16)
    y = 2 * torch.randn(1, CHANNELS, 8, 8, generator=torch.Generator().manual_seed(4)) / scale[:, None, None]

    def synthesise(y_hat: Tensor) -> Tensor:
        return F.conv_transpose2d(y_hat, kernel, stride=16)

    inside = slice(0, 8), slice(0, 8)
    return RDProblem(TileView(synthesise(y), y, inside), synthesise, torch.full((1, 1, 1, 1), 5.0)), y


def test_the_curvature_of_an_orthonormal_transform_is_exact() -> None:
    weights, scale = load(MODEL), torch.linspace(0.5, 2, CHANNELS)
    problem, y = linear_problem(weights, scale)
    search = LatentSearch(problem, weights.coder, LEVELS, None)
    found = search._curvature(search._try(QuantTarget(y)))
    expected = 2 * 5.0 * (scale * search.inverse.flatten()) ** 2
    assert torch.allclose(found.flatten(), expected, rtol=1e-4)


def test_an_attempt_has_the_derivative_of_the_error() -> None:
    weights = load(MODEL)
    problem, y = linear_problem(weights, torch.ones(CHANNELS))
    now = LatentSearch(problem, weights.coder, LEVELS, None)._try(QuantTarget(y + 0.3))
    error = now.x_hat.detach() - problem.view.x
    assert torch.allclose(now.gradient, 2 * 5.0 * error, atol=1e-5)
    assert now.cost == pytest.approx(float(now.tried.bits.sum() + 5.0 * error.square().sum()))


def visual_problem(weight: float, side: int = MS_SSIM_SIDE) -> RDProblem:
    """A random view of some pixels a side; the weight is relative to that of a picture without regions."""
    x = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    plain, none = distortion_weight(LEVELS, None, x), torch.empty(0)
    inside = slice(0, 1), slice(0, 1)
    return search_problem("visual", TileView(x, none, inside), lambda y: y, weight * plain, int(LEVELS))


def test_the_visual_distortion_is_in_bits_and_grows_with_steps() -> None:
    plain, finer = visual_problem(1.0), visual_problem(4.0)
    x = plain.view.x
    error = 0.02 * torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    lam = float(quality_lambda(LEVELS))
    expected = [lam * MS_SSIM_SIDE**2 * float(distortion(MIXES["visual"], x + f * error, x)) for f in (1, 2)]
    found = [float(problem.distortion(x + error)) for problem in (plain, finer)]
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_worth_is_that_of_the_slope_along_the_error() -> None:
    problem = visual_problem(1.0)
    x_hat = problem.view.x + 0.02
    quadratic = 3 * 2 * problem.weight * (x_hat - problem.view.x)
    assert problem.worth(x_hat, quadratic) == pytest.approx(3, rel=1e-4)
    assert problem.worth(problem.view.x, torch.zeros_like(x_hat)) == 1


def test_a_view_too_small_for_ms_ssim_is_searched_for_squared_error() -> None:
    assert visual_problem(1.0).steps is VISUAL_STEPS
    assert visual_problem(1.0, MS_SSIM_SIDE - 1).steps is MSE_STEPS


def visual_cost(data: bytes, image: Image.Image, quality: float, coder: Codec) -> float:
    """Bits a pixel and lambda times the visual distortion, from the file."""
    x, x_hat = (to_tensor(shown) for shown in (image, coder.decode(data)))
    error = distortion(MIXES["visual"], x_hat, x).item()
    return 8 * len(data) / x[0, 0].numel() + quality_lambda(torch.tensor([quality * 100])).item() * error


@pytest.mark.parametrize("quality", [15, 70])
def test_weights_for_the_eye_are_searched_for_their_distortion(quality: float) -> None:
    image, coder = picture("portrait", size=(224, 192)), Codec()
    files = [coder.encode(image, quality, effort=effort) for effort in (0, 2)]
    plain, searched = (visual_cost(data, image, quality, coder) for data in files)
    assert searched < 0.99 * plain
    assert coder.encode(image, quality) == files[1]


@pytest.mark.parametrize(("side", "of"), [(1024, 3), (256, 6)], ids=["rounds", "tiles"])
def test_progress_counts_rounds_of_one_stream_and_tiles_of_several(side: int, of: int) -> None:
    heard: list[tuple[int, int]] = []
    coder = Codec(MODEL, tile=side, done=lambda count, of: heard.append((count, of)))
    coder.encode(picture("portrait", size=(520, 300)), effort=3)
    assert heard == [(count, of) for count in range(of + 1)]


def test_no_round_gives_the_y_of_g_a_itself() -> None:
    weights = load(MODEL)
    problem, y = linear_problem(weights, torch.ones(CHANNELS))
    aim = LatentSearch(problem, weights.coder, LEVELS, None).run(0)
    assert torch.equal(aim.y, y)


def test_an_error_is_worth_lambda_255_squared_a_pixel_and_more_where_steps_are_finer() -> None:
    x, lam = torch.zeros(1, 3, 20, 30), float(quality_lambda(LEVELS))
    assert distortion_weight(LEVELS, None, x).item() == pytest.approx(lam * 255**2 / 3)
    step_scale = torch.tensor([[[1.0, 2.0], [1.0, 1.0]]])
    found = distortion_weight(LEVELS, step_scale, x)
    assert found.shape == (1, 1, 20, 30)
    assert (found[0, 0, 15, 15] * 4).item() == pytest.approx(found[0, 0, 15, 16].item())


@pytest.mark.parametrize("effort", [-1, 10])
def test_an_effort_out_of_range_is_refused(effort: int) -> None:
    with pytest.raises(UsageError, match=r"0\.\.9"):
        codec().encode(picture("shapes"), 40, effort=effort)


def test_the_plugin_takes_an_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s2lic.pillow_plugin, "_codec", codec)
    image, files = picture("portrait", size=(64, 48)), []
    for effort in (0, 3):
        buffer = io.BytesIO()
        image.save(buffer, "S2LIC", quality=50, effort=effort)
        files.append(buffer.getvalue())
    assert files == [codec().encode(image, 50, effort=effort) for effort in (0, 3)]


LAYOUT = Layout(300, 256, 192, 256)


def test_pixels_on_both_sides_of_a_border_are_worth_more_and_all_others_one() -> None:
    for cell in LAYOUT.cells():
        tile = LAYOUT.tile(*cell)
        seen = encoder_input(LAYOUT, cell)
        found = border_weight(tile, seen, LAYOUT.whole)
        at = torch.arange(seen.left, seen.right)
        expected = 1 + EXTRA * ((at >= 192 - REACH) & (at < 192 + REACH))
        assert torch.allclose(found, expected.expand(1, 1, seen.height, seen.width).float())


def test_a_picture_in_one_stream_has_no_borders() -> None:
    whole = LAYOUT.whole
    assert (border_weight(whole, whole, whole) == 1).all()
