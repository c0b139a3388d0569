"""Rate and distortion of a model during training, without files: from the likelihoods of rounded symbols.

It computes in float64 like the codec. `scripts/check_rate.py` checks that encoded files agree within 0.5 % and 16
bytes. Small crops do not pay for headers here, and models without a weights file can be measured.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from s2lic.coding.networks import to_tensor
from s2lic.entropy.likelihood import bits, gaussian_likelihood
from s2lic.entropy.model import EntropyModel
from s2lic.entropy.quality import QUALITY_MAX
from s2lic.errors import InputMissingError
from s2lic.eval.pictures import open_rgb
from s2lic.eval.records import Point
from s2lic.model import S2LIC
from s2lic.train.loss import rd_loss

TOGETHER = 8


@dataclass(frozen=True)
class CropResult:
    """Means over crops: points and training losses per quality, and CPU seconds per megapixel of the entropy model."""

    points: tuple[Point, ...]
    losses: tuple[float, ...]
    entropy_s: float


def middles(folder: Path, side: int) -> Tensor:
    """The central square of each PNG, (N, 3, side, side). Raises InputMissingError."""
    files = sorted(folder.glob("*.png"))
    if not files:
        raise InputMissingError(f"no PNG in {folder}")
    pictures = [to_tensor(open_rgb(str(path))) for path in files]
    return torch.cat([_middle(_middle(x, 2, side), 3, side) for x in pictures])


def _middle(x: Tensor, axis: int, side: int) -> Tensor:
    return x.narrow(axis, (x.shape[axis] - side) // 2, side)


@torch.inference_mode()
def measure(model: S2LIC, x: Tensor, qualities: tuple[float, ...]) -> CropResult:
    """Measures x (B, 3, H, W) in [0, 1] at qualities 0 to 100. Leaves the entropy model in float64."""
    model.eval().entropy.double().centre()
    y = torch.cat([model.g_a(part - 0.5) for part in x.split(TOGETHER)])
    began = time.process_time()
    coded = [likely(model.entropy, y, torch.full((len(y),), quality * QUALITY_MAX / 100)) for quality in qualities]
    entropy_s = (time.process_time() - began) / len(qualities) / (x[:, 0].numel() / 1e6)
    parts = [_distorted(model, x, *found, quality) for found, quality in zip(coded, qualities, strict=True)]
    points = tuple(Point(p["bpp"], p["psnr"], quality=q) for p, q in zip(parts, qualities, strict=True))
    return CropResult(points, tuple(p["loss"] for p in parts), entropy_s)


def likely(net: EntropyModel, y: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
    """y_hat, and the bits of y and z together per picture, (B,)."""
    quality, y = net.quality(levels), y.double()
    offset = net.z_offset(quality)
    z_hat = torch.round(net.hyper_analysis(y, quality) - offset) + offset
    gained = (y * net.gains(quality)[0]).flatten(2).transpose(1, 2)
    spent = [bits(net.prior(z_hat, quality.nearest))]

    def quantise(mu: Tensor, sigma: Tensor, first: int, at: Tensor) -> Tensor:
        q = torch.round(gained[:, at, first : first + mu.shape[2]] - mu)
        spent.append(bits(gaussian_likelihood(q, sigma)))
        return q + mu

    y_hat = net.reconstruct(z_hat, quality, (y.shape[2], y.shape[3]), quantise)
    return y_hat, torch.stack(spent).sum(0)


def _distorted(model: S2LIC, x: Tensor, y_hat: Tensor, spent: Tensor, quality: float) -> dict[str, float]:
    """The loss and its parts, with the picture rounded to 8 bits."""
    back = torch.cat([model.g_s(part.float()) + 0.5 for part in y_hat.split(TOGETHER)])
    x_hat = back.clamp(0, 1).mul(255).round() / 255
    none = torch.zeros_like(spent)
    out = {"x_hat": x_hat, "y_bits": spent, "z_bits": none, "block_loss": none.sum()}
    parts = rd_loss(out, x, torch.full((len(x),), quality * QUALITY_MAX / 100))
    return {key: value.item() for key, value in parts.items()}
