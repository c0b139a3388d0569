"""The rate-distortion loss against its formula."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_msssim import ms_ssim
from torch import Tensor

from s2lic.coding.distortion import MIXES
from s2lic.coding.ssimulacra2 import distance
from s2lic.defaults import TUNES
from s2lic.train.loss import rd_loss

LEVELS = torch.tensor([0.0, 5000.0, 10_000.0])
MIDDLE = math.sqrt(0.0015 * 0.18)
LAMBDAS = (0.0015, MIDDLE, 0.18)


@pytest.fixture
def batch() -> tuple[dict[str, Tensor], Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.rand(2, 3, 3, 4, 5, generator=generator, dtype=torch.float64)
    out = {
        "x_hat": (x + 0.1 * noise).requires_grad_(),
        "y_bits": torch.tensor([10.0, 40.0, 160.0], dtype=torch.float64, requires_grad=True),
        "z_bits": torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64, requires_grad=True),
        "block_loss": torch.tensor(0.25, dtype=torch.float64),
    }
    return out, x


def test_the_loss_is_bits_a_pixel_plus_lambda_255_squared_mse_weighted_by_the_root_of_lambda_and_what_blocks_add(
    batch: tuple[dict[str, Tensor], Tensor],
) -> None:
    out, x = batch
    expected = 0.25
    for i, lam in enumerate(LAMBDAS):
        mse = ((out["x_hat"][i] - x[i]) ** 2).mean().item()
        bpp = (out["y_bits"][i].item() + out["z_bits"][i].item()) / 20
        expected += (MIDDLE / lam) ** 0.5 * (bpp + lam * 65025 * mse) / 3
    assert rd_loss(out, x, LEVELS)["loss"].item() == pytest.approx(expected, rel=1e-12)


def test_the_visual_loss_mixes_ms_ssim_ssimulacra2_and_mse() -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(3, 3, 176, 192, generator=generator)
    x_hat = (x + 0.05 * torch.randn(x.shape, generator=generator)).requires_grad_()
    bits = {name: torch.zeros(3) for name in ("y_bits", "z_bits")}
    loss = rd_loss({"x_hat": x_hat, "block_loss": torch.zeros(()), **bits}, x, LEVELS, "visual")["loss"]
    structure, distance_ = ms_ssim(x_hat, x, data_range=1.0, size_average=False), distance(x, x_hat)
    mse = (x_hat - x).pow(2).mean((1, 2, 3))
    d = 0.5 * 1250 * (1 - structure) + 0.5 * 1.7 * distance_ + 0.02 * 255**2 * mse
    expected = sum((MIDDLE / lam) ** 0.5 * lam * d[i].item() / 3 for i, lam in enumerate(LAMBDAS))
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert x_hat.grad is not None
    assert x_hat.grad.isfinite().all()


def test_every_tune_has_a_mix_of_its_own() -> None:
    assert set(MIXES) == set(TUNES)


def test_the_parts_are_means_over_the_batch(batch: tuple[dict[str, Tensor], Tensor]) -> None:
    out, x = batch
    parts = rd_loss(out, x, LEVELS)
    mse = [((a - b) ** 2).mean().item() for a, b in zip(out["x_hat"], x, strict=True)]
    psnr = sum(-10 * math.log10(m) for m in mse) / 3
    assert parts["bpp"].item() == pytest.approx((210 + 7) / 3 / 20)
    assert parts["z_bpp"].item() == pytest.approx(7 / 3 / 20)
    assert parts["psnr"].item() == pytest.approx(psnr)


def test_gradients_come_from_the_loss_alone(batch: tuple[dict[str, Tensor], Tensor]) -> None:
    out, x = batch
    parts = rd_loss(out, x, LEVELS)
    assert [k for k, v in parts.items() if v.requires_grad] == ["loss"]
    parts["loss"].backward()
    weights = torch.tensor([(MIDDLE / lam) ** 0.5 / 20 / 3 for lam in LAMBDAS]).double()
    for name in ("y_bits", "z_bits"):
        torch.testing.assert_close(out[name].grad, weights, rtol=1e-6, atol=0)
    slope = 2 * 65025 * (MIDDLE * 0.18) ** 0.5 / 60 / 3 * (out["x_hat"][2] - x[2])
    assert out["x_hat"].grad is not None
    torch.testing.assert_close(out["x_hat"].grad[2], slope.detach(), rtol=1e-9, atol=0)
