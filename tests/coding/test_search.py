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
from s2lic.coding.search import EXTRA, REACH, LatentSearch, RDProblem, TileView, border_weight, distortion_weight
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
    y_hat = weights.coder.rehearse(y, LEVELS, QuantTarget(y)).y_hat.requires_grad_()
    found = search._curvature(y_hat, problem.decode(y_hat))
    expected = 2 * 5.0 * (scale * search.inverse.flatten()) ** 2
    assert torch.allclose(found.flatten(), expected, rtol=1e-4)


def test_the_pull_is_the_derivative_of_the_error() -> None:
    problem, y = linear_problem(load(MODEL), torch.ones(CHANNELS))
    x_hat = (problem.decode(y) + 0.1).requires_grad_()
    (expected,) = torch.autograd.grad(problem.distortion(x_hat), x_hat)
    assert torch.allclose(problem.gradient(x_hat), expected)


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
