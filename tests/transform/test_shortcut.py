"""The linear path: principal components out and back."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from s2lic.transform.shortcut import (
    OUTPUT_SCALE,
    PATCH,
    LinearAnalysis,
    LinearSynthesis,
    principal_components,
)


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def basis() -> Tensor:
    """768 orthonormal rows."""
    return torch.linalg.qr(draw(PATCH, PATCH)).Q


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
    x = draw(2, 3, 32, 48, seed=1)
    assert there(x).shape == (2, PATCH, 2, 3)
    torch.testing.assert_close(back(there(x)), x, rtol=0, atol=1e-10)


@torch.no_grad()
def test_fewer_directions_project_on_what_they_span() -> None:
    there, back = pair(basis()[:20], 0.3)
    x = draw(1, 3, 16, 32, seed=1)
    once = back(there(x))
    torch.testing.assert_close(back(there(once)), once, rtol=0, atol=1e-10)
    torch.testing.assert_close((x * once).sum(), once.pow(2).sum(), rtol=1e-10, atol=0)
    assert once.pow(2).sum() < 0.1 * x.pow(2).sum()


@torch.no_grad()
@pytest.mark.parametrize("unshuffle", [1, 2, 4])
def test_the_picture_comes_unshuffled_if_asked(unshuffle: int) -> None:
    net, y = LinearSynthesis(5).double(), draw(2, 5, 2, 3)
    torch.testing.assert_close(net(y, unshuffle), F.pixel_unshuffle(net(y), unshuffle), rtol=0, atol=1e-12)


@torch.no_grad()
def test_each_latent_sees_its_own_patch_only() -> None:
    net, x = LinearAnalysis(4).double(), draw(1, 3, 32, 32)
    moved = x.clone()
    moved[:, :, 16:, :16] += 1
    change = (net(moved) != net(x)).any(1)[0]
    assert change.tolist() == [[False, False], [True, False]]


def test_principal_components_are_orthonormal_and_sorted_by_deviation() -> None:
    true, spread = torch.linalg.qr(draw(40, 40)).Q, torch.linspace(3, 0.1, 40).double()
    patches = draw(5000, 40, seed=2) * spread @ true
    directions, deviation = principal_components(patches, 6)
    measured = (patches @ directions.double().T).pow(2).mean(0).sqrt()
    eye = torch.eye(6, dtype=torch.float64)
    gram = directions.double() @ directions.double().T
    torch.testing.assert_close(gram, eye, rtol=0, atol=1e-5)
    torch.testing.assert_close(deviation.double(), measured, rtol=1e-5, atol=0)
    assert (deviation.diff() <= 0).all()


def test_the_components_hold_the_directions_that_patches_were_made_of() -> None:
    true = torch.linalg.qr(draw(40, 40)).Q[:3]
    patches = draw(500, 3, seed=3) * torch.tensor([5.0, 2.0, 1.0]) @ true
    directions, deviation = principal_components(patches, 5)
    kept = patches @ directions[:3].double().T @ directions[:3].double()
    torch.testing.assert_close(kept, patches, rtol=0, atol=1e-5)
    assert deviation[3:].max() < 1e-6
    assert not deviation.isnan().any()
