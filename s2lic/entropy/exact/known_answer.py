"""A fixed input for the exact networks. A device that gives another result does not compute exactly."""

from __future__ import annotations

import zlib

import torch
from torch import Tensor

from s2lic.entropy.config import Z_STRIDE
from s2lic.entropy.exact.limits import ANSWER_LEVEL, ANSWER_SIZE
from s2lic.entropy.exact.networks import ExactEntropy
from s2lic.errors import InexactDeviceError


def answer(networks: ExactEntropy, device: torch.device) -> int:
    """The CRC-32 of all means, rows and y_hat for fixed symbols, as 32-bit little-endian integers."""
    crc = 0

    def update(x: Tensor) -> None:
        nonlocal crc
        crc = zlib.crc32(x.cpu().numpy().astype("<i4").tobytes(), crc)

    def quantise(mu: Tensor, rows: Tensor, first: int, at: Tensor) -> Tensor:
        update(mu)
        update(rows)
        return symbols(mu.numel(), first, device).view(mu.shape).to(mu.dtype)

    z_shape = (1, networks.config.side, *(-(-side // Z_STRIDE) for side in ANSWER_SIZE))
    z = symbols(z_shape[1] * z_shape[2] * z_shape[3], 0, device).view(z_shape).to(networks.dtype)
    update(networks(z, torch.tensor([ANSWER_LEVEL], device=device), ANSWER_SIZE, quantise))
    return crc


def symbols(count: int, seed: int, device: torch.device) -> Tensor:
    """Integers of -8 to 7: four bits of a linear congruential sequence."""
    return (torch.arange(count, device=device) + seed) * 40503 % 65536 // 4096 - 8


@torch.inference_mode()
def check(networks: ExactEntropy, device: torch.device, known: int) -> None:
    """Raises InexactDeviceError unless the device gives the known answer."""
    if (found := answer(networks, device)) != known:
        raise InexactDeviceError(
            f"{device} does not compute whole numbers below 2^24 exactly (known answer {known:08x}, found "
            f"{found:08x}): turn reduced precision off (torch.set_float32_matmul_precision('highest'), no TF32, no "
            "autocast), or use another device (--device cpu)"
        )
