"""The head start: principal components in, a picture out, and scales that fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from s2lic.entropy.likelihood import SIGMA_MIN
from s2lic.entropy.quality import quality_lambda
from s2lic.model import S2LIC, build
from s2lic.train import init
from s2lic.train.data import Photos
from s2lic.train.init import SIGMA_START_MIN, head_start, quantiser_step
from s2lic.transform.blocks.routing import Routing


@pytest.fixture(scope="module")
def model(photos: Photos) -> S2LIC:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(init, "PATCHES_FROM", 8)
        net = build("tiny").eval()
        head_start(net, photos, seed=3)
    return net


@torch.no_grad()
def test_the_linear_path_alone_gives_the_picture_back(model: S2LIC, photos: Photos) -> None:
    x = photos.batch(8, 96, (77, 0))
    x_hat = model.g_s(model.g_a(x - 0.5)) + 0.5
    psnr = -10 * (x_hat - x).pow(2).flatten(1).mean(1).log10()
    assert psnr.min() > 30


def test_the_directions_are_orthonormal_and_the_synthesis_is_their_transpose(model: S2LIC) -> None:
    step = quantiser_step()
    directions = model.g_a.linear.conv.weight[:, :, 0, 0].double() * step
    eye = torch.eye(len(directions), dtype=torch.float64)
    torch.testing.assert_close(directions @ directions.T, eye, rtol=0, atol=1e-4)
    back = model.g_s.linear.conv.weight[:, :, 0, 0].double() * init.OUTPUT_SCALE / step
    torch.testing.assert_close(back, directions.T, rtol=0, atol=1e-6)


def starting_sigma(model: S2LIC) -> torch.Tensor:
    parts = [s.parameters_net.fc2.bias[s.channels :] for s in model.entropy.walk.slices]
    return torch.cat(parts).exp().detach()


@torch.no_grad()
def test_each_latent_starts_with_its_own_standard_deviation(model: S2LIC, photos: Photos) -> None:
    y = model.g_a(photos.batch(8, 256, (3, 0)) - 0.5)
    measured = y.pow(2).mean((0, 2, 3)).sqrt().clamp(min=SIGMA_START_MIN)
    torch.testing.assert_close(starting_sigma(model), measured, rtol=1e-2, atol=1e-3)
    assert (measured.diff() <= 1e-3).all()
    assert measured[0] > 10 * SIGMA_MIN


def test_a_latent_that_never_varies_starts_with_the_least_deviation(quick_start: None) -> None:
    net, flat = build("tiny"), np.full((256, 256, 3), 200, np.uint8)
    head_start(net, Photos([flat], np.ones(1)))
    sigma = starting_sigma(net)
    assert sigma[0] > 1
    assert sigma[1:].tolist() == pytest.approx([SIGMA_START_MIN] * (len(sigma) - 1))


@torch.no_grad()
def test_means_start_at_zero(model: S2LIC) -> None:
    for part in model.entropy.walk.slices:
        assert not part.parameters_net.fc2.bias[: part.channels].any()


@torch.no_grad()
def test_every_channel_of_z_starts_with_a_standard_deviation_near_1(model: S2LIC, photos: Photos) -> None:
    y = model.g_a(photos.batch(8, 256, (3, 0)) - 0.5)
    z = model.entropy.hyper_analysis(y, model.entropy.quality(torch.full((8,), 5000.0)))
    assert (z.std((0, 2, 3)) > 0.5).all()
    assert (z.std((0, 2, 3)) < 2).all()


def test_the_step_balances_the_slopes_of_rate_and_distortion_at_the_middle_quality() -> None:
    """3 components a pixel: R = -3 log2 s, lambda 255^2 D = lambda 255^2 s^2 / 12; dR + dD = 0."""
    step, lam = quantiser_step(), quality_lambda(torch.tensor(5000)).item()
    rate_slope = -3 / (step * math.log(2))
    distortion_slope = lam * 255**2 * step / 6
    assert rate_slope + distortion_slope == pytest.approx(0, abs=1e-9 * distortion_slope)


def test_the_same_photos_and_seed_give_the_same_start(photos: Photos, quick_start: None) -> None:
    first, second = build("tiny"), build("tiny")
    for net in (first, second):
        head_start(net, photos, seed=1)
    assert all(map(torch.equal, first.parameters(), second.parameters()))


@torch.no_grad()
def test_routing_starts_with_centroids_taken_from_what_reaches_it(photos: Photos, quick_start: None) -> None:
    net = build("tiny+block=swinv2,swinv2,routing")
    parts = [m for m in net.modules() if isinstance(m, Routing)]
    before = [m.centroids.clone() for m in parts]
    head_start(net, photos, seed=3)
    assert len(parts) == 4  # two in g_a and two in g_s
    for part, old in zip(parts, before, strict=True):
        assert not torch.equal(part.centroids, old)
        lengths = part.centroids.square().mean(-1)  # of normalised tokens: 1, less where one is nearly constant
        assert (lengths <= 1 + 1e-5).all()
        assert not part._forward_pre_hooks
